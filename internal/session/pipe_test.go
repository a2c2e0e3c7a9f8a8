package session

import (
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// startPipe runs a pipe over lines with the given stall time and idle timeout, and returns
// what its two ends are connected to, and a channel that is closed when it has ended.
func startPipe(stall, idle time.Duration) (client, owner net.Conn, over chan struct{}) {
	end := func() (transport.Transport, net.Conn) {
		near, far := net.Pipe()
		return transport.NewFramed(near, transport.Lines, transport.Options{MaxFrame: 1 << 20, Stall: stall}), far
	}
	c, client := end()
	o, owner := end()
	p := newPipe(c, o, wire.JSON, true)
	over = make(chan struct{})
	go func() {
		defer close(over)
		p.run(idle)
	}()
	return client, owner, over
}

// An end that does not read stops the other from being read, until the stall time has
// passed: then both are closed. What the pipe holds meanwhile is bounded.
func TestPipeHoldsOneFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, owner, over := startPipe(time.Minute, 0)
		defer client.Close()
		line := []byte(strings.Repeat("x", 1000) + "\n")
		written := 0
		failed := make(chan struct{})
		go func() {
			defer close(failed)
			for {
				if _, err := owner.Write(line); err != nil {
					return
				}
				written++
			}
		}()
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if written > 20 {
			t.Errorf("the pipe has taken %d frames for a client that reads none", written)
		}
		time.Sleep(3 * time.Second)
		<-over
		<-failed
		if _, err := client.Read(make([]byte, 1)); err == nil {
			t.Error("the client is still connected")
		}
	})
}

// An end that reads slowly is served.
func TestPipeToSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, owner, over := startPipe(time.Minute, time.Minute)
		const frames = 100
		go func() {
			for range frames {
				owner.Write([]byte(strings.Repeat("x", 99) + "\n"))
			}
		}()
		got := 0
		for buf := make([]byte, 100); got < frames*100; {
			time.Sleep(50 * time.Second)
			n, err := client.Read(buf)
			if got += n; err != nil {
				t.Fatalf("after %d bytes: %v", got, err)
			}
		}
		client.Close()
		<-over
		if _, err := owner.Read(make([]byte, 1)); err == nil {
			t.Error("the owner is still connected")
		}
	})
}

// The pipe ends when one end breaks while the other does not read, and when both do not.
func TestPipeEndsWhileItWrites(t *testing.T) {
	for name, closed := range map[string]bool{"the owner breaks": true, "nobody reads": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, owner, over := startPipe(time.Minute, 0)
				for _, side := range []net.Conn{client, owner} {
					go func() {
						for {
							if _, err := side.Write([]byte("frame\n")); err != nil {
								return
							}
						}
					}()
				}
				synctest.Wait()
				if closed {
					owner.Close()
				}
				<-over
				client.Close()
				owner.Close()
			})
		})
	}
}
