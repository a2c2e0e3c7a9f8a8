// Package racing helps tests of races whose order no event decides.
package racing

import "time"

// Meanwhile runs f beside its caller, which goes on up to 5 µs after f has begun, as i
// says, so that each order of what the two do comes. What it returns is closed when f
// has returned.
func Meanwhile(i int, f func()) (done <-chan struct{}) {
	returned := make(chan struct{})
	begun := make(chan struct{})
	go func() {
		defer close(returned)
		close(begun)
		f()
	}()
	<-begun
	for start := time.Now(); time.Since(start) < time.Duration(i%100)*50*time.Nanosecond; {
	}
	return returned
}
