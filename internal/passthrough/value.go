package passthrough

// A value is a value as it is encoded, whatever the codec. It is nil if there is none.
type value []byte

// MarshalJSON returns the value, which is JSON.
func (v value) MarshalJSON() ([]byte, error) { return v.or("null"), nil }

// MarshalCBOR returns the value, which is CBOR.
func (v value) MarshalCBOR() ([]byte, error) { return v.or("\xf6"), nil }

func (v value) or(null string) []byte {
	if v == nil {
		return []byte(null)
	}
	return v
}

// UnmarshalJSON copies a value.
func (v *value) UnmarshalJSON(b []byte) error { return v.set(b) }

// UnmarshalCBOR copies a value.
func (v *value) UnmarshalCBOR(b []byte) error { return v.set(b) }

func (v *value) set(b []byte) error {
	*v = append((*v)[:0], b...)
	return nil
}

// A record has the values and streams of a Params or a Result, each a *value or a
// *contract.Stream. It implements contract.Record.
type record []any

// Field implements contract.Record.
func (r record) Field(i int) any { return r[i] }
