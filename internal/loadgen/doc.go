// Package loadgen puts load on a server and measures what comes of it.
//
// The load is open unless Options.Closed is set: calls are due at moments that a Schedule
// fixes beforehand, and the latency of a call is counted from when it was due, whether or
// not those before have been answered. Counting from when a call was sent would leave out
// how long it could not be sent, and so every wait but the first (coordinated omission).
//
// A call is sent by the goroutine that has waited for its moment. Handing it to another
// would charge the call with waking that one.
package loadgen
