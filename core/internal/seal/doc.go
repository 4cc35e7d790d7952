// Package seal keeps what native nodes say to each other secret and authentic:
// realms and identities, the Noise handshake, the keys of a session, sealed
// packets, the replay window and cookies, as docs/PROTOCOL.md has them in §4 and
// §6 to §8.
//
// The package is pure: time and randomness come in as arguments, and nothing is
// sent or logged. Nothing panics on input, and no length found in it is
// allocated. Unless a type says otherwise it is not safe for concurrent use.
//
// Secrets are overwritten by Zero and as soon as they are done with, as far as
// this package can reach them: key schedules inside the ciphers of the standard
// library, the inner state of Noise, and what the garbage collector or the stack
// left behind, it cannot. What holds secrets shows none of them when it is
// formatted, logged or marshalled.
package seal
