// Package wire holds what goes over the wire: the packets, HELLOs and frames of
// docs/PROTOCOL.md, and the CBOR of arguments and results.
//
// Parsing copies no bytes: what a message holds as a []byte aliases the input.
// Whatever the input is, it neither panics nor makes Parse allocate by a length
// that the input names. Appending is for the caller's own values: it does not
// check them again, beyond what the doc comments say.
package wire
