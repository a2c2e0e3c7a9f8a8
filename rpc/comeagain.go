package rpc

import (
	"errors"
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
	"github.com/wirecall/wirecall/internal/fault"
)

// ComeAgain returns an error with which a handler ends a stream that has a cursor
// (//wirecall:cursor), to have it continued in another call. The client makes that call
// after the last item that its loop received, and the loop continues. The client waits
// for 1 to 1.5 times d, at random; while no item arrives, its delays double, up to 30
// seconds. d is at most an hour. If the server shuts down, the call is made on another
// server, or waits for one.
//
// The consumer of any other stream, and the caller of a handler that returns this
// error, gets an *Error with CodeComeAgain and Retry set to d.
func ComeAgain(d time.Duration) error {
	return &Error{Code: CodeComeAgain, Message: "come again", Retry: d}
}

func isComeAgain(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == CodeComeAgain
}

// The delays of a consumer whose stream ends with CodeComeAgain again and again, without
// an item in between.
const (
	minComeAgain = 100 * time.Millisecond // the least second delay
	maxComeAgain = 30 * time.Second       // the longest delay, unless the server asks for more
)

// comeAgainDelay returns how long to wait after err, which follows n such errors in a
// row.
func comeAgainDelay(err error, n int) time.Duration {
	retry, _ := RetryAfter(err)
	d := min(retry, fault.MaxRetry)
	if n > 0 {
		d = max(d, minComeAgain)
		d = backoff.Doubled(d, max(d, maxComeAgain), n)
	}
	return backoff.Between(d, d+d/2)
}
