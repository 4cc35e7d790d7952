package legacy

// eachMember calls visit with the text of each key of a validated object and
// its raw value, in order, equal keys and all.
func eachMember(object []byte, visit func(key, value []byte)) {
	i, done, _ := firstItem(object, 0, 0, '}')
	for !done {
		key := i
		end, value, _ := skipKey(object, i)
		i, _ = skipValue(object, value, 0)
		visit(text(object[key:end]), object[value:i:i])
		i, done, _ = nextItem(object, i, '}')
	}
}
