// Package aria2 is a part of the interface of aria2, a download manager that serves
// JSON-RPC over a WebSocket, as a contract. See
// https://aria2.github.io/manual/en/html/aria2c.html#rpc-interface
//
// Its tests start aria2, and run with
//
//	go test -tags=aria2 ./...
package aria2

import (
	"context"
	"fmt"
)

//go:generate go tool wirecall gen .

// Aria2 is what aria2 serves. The first parameter of each method is the secret that
// aria2 was started with.
//
//wirecall:service names=aria2.methodName
//wirecall:params position
//wirecall:error Refused 1
type Aria2 interface {
	// AddURI adds the download of a file that is at each of the addresses, and returns
	// its id. Without options those of aria2 hold.
	//
	//wirecall:name aria2.addUri
	AddURI(ctx context.Context, secret Secret, uris []string, options *Options) (gid string, err error)

	// Pause stops a download until it is unpaused, and Remove for good.
	Pause(ctx context.Context, secret Secret, gid string) (string, error)
	Unpause(ctx context.Context, secret Secret, gid string) (string, error)
	Remove(ctx context.Context, secret Secret, gid string) (string, error)

	// TellStatus returns the members of a Status that keys name, or all.
	TellStatus(ctx context.Context, secret Secret, gid string, keys ...string) (Status, error)

	GetVersion(ctx context.Context, secret Secret) (Version, error)
}

// System is what aria2 serves beside its own methods.
//
//wirecall:service names=system.methodName
//wirecall:params position
type System interface {
	ListMethods(ctx context.Context) ([]string, error)
	ListNotifications(ctx context.Context) ([]string, error)
}

// Events are the notifications of aria2. Whoever connects to it gets them.
//
//wirecall:service names=aria2.methodName
type Events interface {
	//wirecall:notify
	OnDownloadStart(ctx context.Context, event Event) error

	//wirecall:notify
	OnDownloadPause(ctx context.Context, event Event) error

	//wirecall:notify
	OnDownloadStop(ctx context.Context, event Event) error

	//wirecall:notify
	OnDownloadComplete(ctx context.Context, event Event) error

	//wirecall:notify
	OnDownloadError(ctx context.Context, event Event) error
}

// A Secret is that of --rpc-secret.
type Secret string

// MarshalText adds the prefix that aria2 has for secrets.
func (s Secret) MarshalText() ([]byte, error) { return []byte("token:" + s), nil }

// UnmarshalText fails: aria2 sends no secrets.
func (s *Secret) UnmarshalText([]byte) error { return fmt.Errorf("a secret of aria2 is not read") }

// Options are some of a download. All of them are strings for aria2.
type Options struct {
	Dir      string `json:"dir,omitempty"`
	Out      string `json:"out,omitempty"`
	MaxTries int    `json:"max-tries,omitempty,string"`
}

// Status is some of what aria2 tells about a download.
type Status struct {
	GID             string `json:"gid"`
	Status          string `json:"status"` // active, waiting, paused, error, complete or removed
	TotalLength     int64  `json:"totalLength,string"`
	CompletedLength int64  `json:"completedLength,string"`
	ErrorCode       int    `json:"errorCode,string"` // as an exit status of aria2c
	Files           []File `json:"files"`
}

// A File is one of a download.
type File struct {
	Path string `json:"path"`
}

// A Version is that of aria2.
type Version struct {
	Version         string   `json:"version"`
	EnabledFeatures []string `json:"enabledFeatures"`
}

// An Event is about a download.
type Event struct {
	GID string `json:"gid"`
}

// Refused is the error of a call that aria2 refuses. It has a message and nothing else.
type Refused struct{}

func (Refused) Error() string { return "refused by aria2" }
