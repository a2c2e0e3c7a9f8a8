package mcprpc

import (
	"cmp"
	"fmt"
	"log/slog"
	"path"
	"time"
)

// Options say which methods are tools, and how they are called. The zero value of each
// field is the recommended one, and a nil *Options is the zero value.
type Options struct {
	// All makes a tool of each method, whether its contract says so or not.
	All bool

	// Only makes tools of the methods whose names match one of these patterns of
	// path.Match, such as "Room.*", and of no others. A pattern that matches none is an
	// error.
	Only []string

	// Timeout is how long a call may take. Its streams are read for half of it, and 30 s at
	// most. The default is 60 s. If it is negative, there is no limit but that of streams.
	Timeout time.Duration

	// Instructions say to the model what the tools are for. The default is the description
	// in the server's OpenRPC document, which is empty unless somebody else wrote that.
	Instructions string

	// Logger receives the SDK's records. The default is none: the results of calls have
	// what matters.
	Logger *slog.Logger
}

const (
	defaultTimeout = 60 * time.Second
	maxStreamTime  = 30 * time.Second
)

// withDefaults returns the options in place of which o stands, or an error that names the
// first invalid field.
func (o *Options) withDefaults() (Options, error) {
	var all Options
	if o != nil {
		all = *o
	}
	if all.All && len(all.Only) > 0 {
		return all, fmt.Errorf("mcprpc: Options.All and Options.Only are both set")
	}
	for _, pattern := range all.Only {
		if _, err := path.Match(pattern, ""); err != nil {
			return all, fmt.Errorf("mcprpc: Options.Only has %q: %w", pattern, err)
		}
	}
	all.Timeout = cmp.Or(all.Timeout, defaultTimeout)
	if all.Logger == nil {
		all.Logger = slog.New(slog.DiscardHandler)
	}
	return all, nil
}

// streamTime is how long the streams of a call are read.
func (o *Options) streamTime() time.Duration {
	if o.Timeout < 0 {
		return maxStreamTime
	}
	return min(o.Timeout/2, maxStreamTime)
}
