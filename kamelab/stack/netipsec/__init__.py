"""IPsec: associations, policies, AH, ESP and IPComp (KAME netkey/, netinet6/ah_*.c, esp_*.c, ipcomp_*.c)."""
