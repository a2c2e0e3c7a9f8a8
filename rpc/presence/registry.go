package presence

import "context"

// A Registry keeps who is in which room. [Memory] is one. Its methods may be called by
// many goroutines at once.
type Registry interface {
	// Enter puts an entry into a room, or replaces that of the same device. It does not
	// wait. The channel, which has room for it, gets nil once all who watch the room will
	// be told, or at once while the others cannot be reached, or the error for which that
	// will not be. The registry sets Order.
	Enter(room string, e Entry) (stored <-chan error)

	// Leave removes the entry of a device, if there is one. It does not wait.
	Leave(room, device string)

	// Entries returns the entries of a room.
	Entries(ctx context.Context, room string) ([]Entry, error)

	// View returns a view of a room, which the registry keeps as the room is until release
	// is called. It returns when the view has all entries that were in the room when it was
	// called.
	View(ctx context.Context, room string) (v *View, release func(), err error)
}

// An Entry is somebody in a room by one device.
type Entry struct {
	Device string // unique among all devices of all processes; letters and digits
	Who    string
	Value  []byte // JSON; not changed by anybody

	// Order is larger for what was entered later. Of entries of one person the last is
	// shown.
	Order uint64
}

// after reports whether e was entered after another entry.
func (e Entry) after(other Entry) bool {
	if e.Order != other.Order {
		return e.Order > other.Order
	}
	return e.Device > other.Device
}
