// Package racing helps tests of races whose order no event decides.
package racing

import "time"

// Meanwhile runs f concurrently with its caller. It returns up to 5 µs after f has begun,
// depending on i, so that over many i both orders of what the two do occur. done is
// closed when f has returned.
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
