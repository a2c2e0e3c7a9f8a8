package contract

import "reflect"

// ErrorFuncs convert between a declared error and its data.
type ErrorFuncs struct {
	// Match reports whether err itself, not what it wraps, is the declared error, and
	// returns the data to send with it, or nil for none.
	Match func(err error) (data any, ok bool)

	// Decode returns the declared error for a received one. data stores the received data
	// in what v points to.
	Decode func(data func(v any) error) (error, error)
}

// IsSelf is errors.Is for err itself, without what it wraps.
func IsSelf(err, target error) bool {
	if reflect.TypeOf(target).Comparable() && err == target {
		return true
	}
	x, ok := err.(interface{ Is(error) bool })
	return ok && x.Is(target)
}
