"""The SOAP face: contracts generated from the declarations, envelopes in and out (giao diện SOAP)."""
