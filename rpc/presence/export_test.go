package presence

// Seats returns how many seats connections have.
func Seats() int {
	seats.Lock()
	defer seats.Unlock()
	return len(seats.byKey)
}
