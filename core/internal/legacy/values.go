package legacy

// Valid says whether json is one value of the dialect, with white space
// around it and nothing else.
func Valid(json []byte) error {
	_, rest, err := SplitJSON(json)
	if err == nil && len(rest) > 0 {
		err = syntax(len(json)-len(rest), "data behind the value")
	}
	return err
}

// SplitJSON takes the first value off a concatenation of values. Both parts
// alias b and begin where their value does, white space being dropped, so
// that rest is empty behind the last value. Before the first, an empty b is
// an error.
func SplitJSON(b []byte) (first, rest []byte, err error) {
	start := skipSpace(b, 0)
	end, err := skipValue(b, start, 0)
	if err != nil {
		return nil, nil, err
	}
	return b[start:end:end], b[skipSpace(b, end):], nil
}
