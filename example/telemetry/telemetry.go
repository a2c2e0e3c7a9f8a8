// Package telemetry is a fleet of devices that report, the dashboards that watch
// them, and a server in between.
//
// It shows calls in all directions over connections that only the server
// accepts. Devices push readings up as a stream for as long as they live.
// Dashboards get a snapshot and what changes from there. And where a dashboard
// sets a device's interval, the server calls the device, over the connection
// that the device once opened, and the answer, or the error with its type, goes
// all the way back.
//
// The interfaces are in this file, the server's half in hub.go, the device's in
// sensor.go; cmd/telemetry has each as a program.
package telemetry

import (
	"context"
	"fmt"
	"iter"
	"time"
)

//go:generate go tool wirecall gen -ts web/src/api

// Intake is what devices ask of the server.
//
//wirecall:service
type Intake interface {
	// Report brings a device online, which must serve Device on the same
	// connection, and takes its readings until they end; it returns how many. A
	// device that reports again replaces itself: what it began before ends with
	// a *Replaced.
	//
	//wirecall:error Replaced 2004
	Report(ctx context.Context, device string, interval time.Duration, readings iter.Seq2[Reading, error]) (int, error)
}

// Fleet is what dashboards ask of the server.
//
//wirecall:service
type Fleet interface {
	// Watch returns all devices that have ever reported, by name, and a stream of
	// what becomes of them. Who reads slowly is not told of every step: what comes
	// is always the latest.
	Watch(ctx context.Context) (now []Status, changes iter.Seq2[Status, error], err error)

	// SetInterval makes a device measure at an interval, and returns the one it
	// had. The error is an *UnknownDevice, an *OfflineDevice, or what the device
	// says, such as a *BadInterval.
	//
	//wirecall:error UnknownDevice 2001
	//wirecall:error OfflineDevice 2002
	//wirecall:error BadInterval 2003
	SetInterval(ctx context.Context, device string, interval time.Duration) (was time.Duration, err error)
}

// Device is what the server asks of a device.
//
//wirecall:service
type Device interface {
	// SetInterval makes the device measure at an interval, and returns the one it
	// had. The error is a *BadInterval where it cannot.
	//
	//wirecall:error BadInterval 2003
	SetInterval(ctx context.Context, interval time.Duration) (was time.Duration, err error)
}

// A Reading is what a device has measured.
type Reading struct {
	Time  time.Time `json:"time"`
	Value float64   `json:"value"`
}

// A Status is what is known of a device.
type Status struct {
	Device   string        `json:"device"`
	Online   bool          `json:"online"`
	Interval time.Duration `json:"interval"`
	Readings int           `json:"readings"` // so far
	Last     Reading       `json:"last"`
}

// UnknownDevice is the error of asking for a device that has never reported.
type UnknownDevice struct {
	Device string `json:"device"`
}

// OfflineDevice is the error of asking for a device that is not there now.
type OfflineDevice struct {
	Device string `json:"device"`
}

// BadInterval is a device's error for an interval that it cannot keep.
type BadInterval struct {
	Min time.Duration `json:"min"`
	Max time.Duration `json:"max"`
}

// Replaced is what a report ends with when its device has begun another.
type Replaced struct{}

func (e *UnknownDevice) Error() string { return fmt.Sprintf("device %q has never reported", e.Device) }
func (e *OfflineDevice) Error() string { return fmt.Sprintf("device %q is offline", e.Device) }
func (e *BadInterval) Error() string {
	return fmt.Sprintf("the interval must be between %v and %v", e.Min, e.Max)
}
func (e *Replaced) Error() string { return "replaced by a later report of the same device" }
