"""One node's kernel, cut and named as KAME's."""
