package topic

// Hubs returns how many hubs there are in this process.
func Hubs() int {
	hubs.Lock()
	defer hubs.Unlock()
	return len(hubs.byKey)
}
