package transcript

// numbers are the ids of the peer's calls and the handles of its streams: the file's and
// those of now.
type numbers struct {
	ids, fileIDs         map[string]any // of now by the file's, and the reverse
	handles, fileHandles map[string]any
}

func newNumbers() numbers {
	return numbers{make(map[string]any), make(map[string]any), make(map[string]any), make(map[string]any)}
}

// bind takes the numbers of a message that is the file's want.
func (n *numbers) bind(want, got message) {
	if want.method() != "" && want.id() != "" {
		n.ids[want.id()], n.fileIDs[got.id()] = got.members["id"], want.members["id"]
	}
	gs := got.streams()
	for i, handle := range want.streams() {
		n.handles[text(handle)], n.fileHandles[text(gs[i])] = gs[i], handle
	}
}

func (n *numbers) fileID(now string) string     { return text(n.fileIDs[now]) }
func (n *numbers) fileHandle(now string) string { return text(n.fileHandles[now]) }
