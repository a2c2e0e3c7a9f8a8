package contract

import "reflect"

// ErrorFuncs are what a declared error can be asked.
type ErrorFuncs struct {
	// Match reports whether err itself, not what it wraps, is a declared error, and
	// returns the value that crosses beside its message; nil for none.
	Match func(err error) (data any, ok bool)

	// Decode makes an error of what was received. data stores the data that came
	// with it in what v points to.
	Decode func(data func(v any) error) (error, error)
}

// IsSelf is errors.Is for err itself, not what it wraps.
func IsSelf(err, target error) bool {
	if reflect.TypeOf(target).Comparable() && err == target {
		return true
	}
	x, ok := err.(interface{ Is(error) bool })
	return ok && x.Is(target)
}
