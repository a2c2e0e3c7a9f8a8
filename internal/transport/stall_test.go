package transport

import (
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A write that waits is not cut off while the peer takes something, however long it
// takes until another write fits; and is when the peer takes nothing.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		c := newConn(near, near, &Options{Stall: 4 * time.Second})
		var took atomic.Int64
		c.unacked = func() int { return 1<<20 + int(c.written.Load()-took.Load()) }
		(*byteStream)(c).Write([]byte("which nobody reads"))
		flushed := make(chan error, 1)
		go func() {
			_, err := c.Flush(true)
			flushed <- err
		}()
		for range 300 {
			time.Sleep(time.Second)
			took.Add(1)
		}
		if synctest.Wait(); len(flushed) > 0 || c.Err() != nil {
			t.Fatal("a peer that reads was cut off:", c.Err())
		}
		time.Sleep(8 * time.Second)
		synctest.Wait()
		if len(flushed) == 0 {
			t.Fatal("a peer that takes nothing is waited for")
		}
		if err := <-flushed; err != ErrNotReading {
			t.Errorf("Flush: %v", err)
		}
	})
}

// A watch whose write is over closes nothing, also if its timer has fired just before.
func TestStallTimerAfterTheWrite(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	c := newConn(near, near, &Options{Stall: time.Hour})
	watch := c.watchStall()
	watch.stop()
	watch.check()
	if c.Err() != nil {
		t.Error(c.Err())
	}
}

// A transport that has failed holds no buffers, since a session that waits to be resumed
// holds the transport.
func TestFailedFlushReleasesBuffers(t *testing.T) {
	near, far := net.Pipe()
	far.Close()
	l := NewFramed(near, Lines, Options{Stall: time.Minute})
	defer l.Close()
	for range 2 {
		if err := l.WriteFrame(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		if done, err := l.Flush(true); done || err == nil {
			t.Fatalf("Flush returned %t, %v", done, err)
		}
		if held := cap(l.sending) + cap(l.ready); held > 0 {
			t.Errorf("%d bytes are held", held)
		}
	}
}
