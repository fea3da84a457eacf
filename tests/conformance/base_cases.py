"""The cases of group 1, the base specification: numbers, parts, roles, titles, in the form of `cases`."""

from __future__ import annotations

from typing import Final

BASE: Final = """
1.1.1 HR Version Field
1.1.2 HR Traffic Class Non-Zero - End Node
1.1.3 R Traffic Class Non-Zero - Intermediate Node
1.1.4 - Flow Label Non-Zero
  HR A NUT receives Non-Zero Flow Label
  R B RUT forwards Non-Zero Flow Label
1.1.5 - Payload Length
  HR A Payload Length Odd
  R B RUT forwards Payload Length Odd
  HR C Payload Length Even
1.1.6 - No Next Header after IPv6 Header
  HR A NUT Receives No Next Header
  R B RUT Forwards No Next Header
1.1.7 - Unrecognized Next Header
  HR A Unrecognized Next Header in IPv6 Header (Multiple Values)
  HR B Unexpected Next Header in IPv6 Header
1.1.8 HR Hop Limit Zero - End Node
1.1.9 R Hop Limit Decrement - Intermediate Node
1.1.10 - Source and Destination Address - Intermediate Node
  R A Request sent to Global Unicast address
  R B Request sent to Global Unicast address (prefix end in zero-valued fields)
  R C Request sent from unspecified address
  R D Request sent to Loopback address
  R E Request sent from Link Local address
  R F Request sent to Link Local address
  R G Request sent to Site-Local address
  R H Request sent to Global Scope multicast address
  R I Request sent to Link-local Scope multicast address
  R J Request sent to Multicast address (Reserved Value = 0)
  R K Request sent to Multicast address (Reserved Value = F)
1.2.1 HR Next Header Zero
1.2.2 - No Next Header after Extension Header
  HR A End Node
  R B Intermediate Node
1.2.3 - Unrecognized Next Header in Extension Header - End Node
  HR A Unrecognized Next Header in Extension Header (Multiple Values)
  HR B Unexpected Next Header in Extension Header
1.2.4 - Extension Header Processing Order
  HR A Destination Options Header precedes Fragment Header, Error from Destination Options Header
  HR B Destination Options Header precedes Fragment Header, Error from Fragment Header
  HR C Fragment Header precedes Destination Options Header, Error from Fragment Header
  HR D Fragment Header precedes Destination Options Header, Error from Destination Options Header
1.2.5 - Option Processing Order
  HR A First Option has Most Significant Bits 00b, Next has Most Significant Bits 01b
  HR B First Option has Most Significant Bits 00b, Next has Most Significant Bits 10b
  HR C First Option has Most Significant Bits 00b, Next has Most Significant Bits 11b
1.2.6 - Options Processing, Hop-by-Hop Options Header - End Node
  HR A Pad1 Option
  HR B PadN Option
  HR C Most Significant Bits 00b
  HR D Most Significant Bits 01b
  HR E Most Significant Bits 10b, unicast destination
  HR F Most Significant Bits 11b, unicast destination
  HR G Most Significant Bits 10b, multicast destination
  HR H Most Significant Bits 11b, multicast destination
1.2.7 - Options Processing, Hop-by-Hop Options Header - Intermediate Node
  R A Pad1 Option
  R B PadN Option
  R C Most Significant Bits 00b
  R D Most Significant Bits 01b
  R E Most Significant Bits 10b, unicast destination
  R F Most Significant Bits 11b, unicast destination
  R G Most Significant Bits 10b, off-link multicast destination
  R H Most Significant Bits 11b, on-link multicast destination
1.2.8 - Option Processing, Destination Options Header
  HR A Pad1 Option
  HR B PadN Option
  HR C Most Significant Bits 00b
  HR D Most Significant Bits 01b
  HR E Most Significant Bits 10b, unicast destination
  HR F Most Significant Bits 11b, unicast destination
  HR G Most Significant Bits 10b, multicast destination
  HR H Most Significant Bits 11b, multicast destination
1.2.9 - Unrecognized Routing Type - End Node
  HR A Unrecognized Routing Type 33
  HR B Unrecognized Routing Type 0
1.2.10 - Unrecognized Routing Type - Intermediate Node
  HR A Unrecognized Routing Type 33
  HR B Unrecognized Routing Type 0
1.3.1 - Fragment Reassembly
  HR A All Fragments are Valid
  HR B All Fragments are Valid, reverse order
  HR C Fragment IDs Differ Between Fragments
  HR D Source Addresses Differ Between Fragments
  HR E Destination Address Differ Between Fragments
  HR F Reassemble to 1500
1.3.2 - Reassembly Time Exceeded
  HR A Time Elapsed Between Fragments less than Sixty Seconds
  HR B Time Exceeded Before Last Fragments Arrive
  HR C Time Exceeded (Global), Only First Fragment Received
  HR D Time Exceeded (Link-local), Only First Fragment Received
  HR E Time Exceeded, Only Second Fragment Received
1.3.3 HR Fragment Header M-Bit Set, Payload Length Invalid
1.3.4 HR Stub Fragment Header
"""
"""In the specification's order."""
