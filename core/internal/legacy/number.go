package legacy

import (
	"math"
	"strconv"
)

// The literals of the dialect, the last three being Python's.
const (
	litNull   = "null"
	litTrue   = "true"
	litFalse  = "false"
	litNaN    = "NaN"
	litInf    = "Infinity"
	litNegInf = "-Infinity"
)

// literal gives the length of the literal that b begins with, or 0.
func literal(b []byte) int {
	for _, word := range [...]string{litNull, litTrue, litFalse, litNaN, litInf, litNegInf} {
		if len(b) >= len(word) && string(b[:len(word)]) == word {
			return len(word)
		}
	}
	return 0
}

// number gives the length of the number that b begins with, or 0, and the
// count of its digits if it is an integer, else 0. As in Python, a point or
// an exponent without digits is not part of it.
func number(b []byte) (n, digits int) {
	if n < len(b) && b[n] == '-' {
		n++
	}
	d := integerPart(b[n:])
	if d == 0 {
		return 0, 0
	}
	n += d
	f := fraction(b[n:])
	e := exponent(b[n+f:])
	if f+e > 0 {
		d = 0
	}
	return n + f + e, d
}

// integerPart counts digits; a leading zero stands alone.
func integerPart(b []byte) int {
	if len(b) > 0 && b[0] == '0' {
		return 1
	}
	return countDigits(b)
}

func fraction(b []byte) int {
	if len(b) == 0 || b[0] != '.' {
		return 0
	}
	if n := countDigits(b[1:]); n > 0 {
		return n + 1
	}
	return 0
}

func exponent(b []byte) int {
	if len(b) == 0 || b[0]|0x20 != 'e' {
		return 0
	}
	sign := 1
	if len(b) > 1 && (b[1] == '+' || b[1] == '-') {
		sign = 2
	}
	if n := countDigits(b[sign:]); n > 0 {
		return n + sign
	}
	return 0
}

func countDigits(b []byte) int {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return n
}

// appendFloat writes f as json.dumps does: the shortest digits that read back
// as f, an exponent from 1e16 up and below 1e-4, and always a point or an
// exponent, so that 1.0 is not 1.
func appendFloat(dst []byte, f float64) []byte {
	switch abs := math.Abs(f); {
	case f != f:
		return append(dst, litNaN...)
	case math.IsInf(f, 1):
		return append(dst, litInf...)
	case math.IsInf(f, -1):
		return append(dst, litNegInf...)
	case abs >= 1e16 || abs != 0 && abs < 1e-4:
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	case f == math.Trunc(f):
		return append(strconv.AppendFloat(dst, f, 'f', -1, 64), ".0"...)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// parseFloat reads a number that has been scanned. Like Python it gives an
// infinity for what is out of range.
func parseFloat(b []byte) float64 {
	f, _ := strconv.ParseFloat(string(b), 64) // only ErrRange is left, with ±Inf
	return f
}
