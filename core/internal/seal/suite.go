package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/sys/cpu"
)

// A Suite is one way to seal packets, or a set of them, in the bits of INIT and
// HELLO.
type Suite uint8

const (
	AESGCM Suite = 1 << iota // AES-256-GCM
	ChaCha                   // ChaCha20-Poly1305
)

// String names a single suite.
func (s Suite) String() string {
	switch s {
	case AESGCM:
		return "AES-256-GCM"
	case ChaCha:
		return "ChaCha20-Poly1305"
	default:
		return "no suite"
	}
}

// Without these instructions AES is slow, and its timing tells of the key.
var hardware = cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ && cpu.X86.HasSSE41 && cpu.X86.HasSSSE3 ||
	cpu.ARM64.HasAES && cpu.ARM64.HasPMULL ||
	cpu.S390X.HasAES && cpu.S390X.HasAESCTR && cpu.S390X.HasGHASH

// Offered returns the suites that this machine offers.
func Offered() Suite {
	if hardware {
		return AESGCM | ChaCha
	}
	return ChaCha
}

// Choose returns the responder's choice of what was offered: AES-256-GCM where
// both have instructions for it, else ChaCha20-Poly1305; 0 if that is not
// offered, as it must be.
func Choose(offered Suite) Suite { return choose(offered, Offered()) }

func choose(offered, own Suite) Suite {
	if offered&own&AESGCM != 0 {
		return AESGCM
	}
	return offered & ChaCha
}

func newAEAD(s Suite, key []byte) (cipher.AEAD, error) {
	switch s {
	case ChaCha:
		return chacha20poly1305.New(key)
	case AESGCM:
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return cipher.NewGCM(block)
	default:
		return nil, errors.New("seal: not one suite")
	}
}
