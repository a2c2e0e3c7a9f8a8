package chat

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
)

// A File is a Store that outlives the process: each message is a line of JSON at
// the end of a file, written before Append returns and before anybody sees it.
// It does not wait for the disk, so that a killed process loses nothing, while a
// machine that fails may lose what came last. One process may have it open.
type File struct {
	kept Memory // what is in the file

	mu   sync.Mutex // held by whoever appends
	file *os.File
	size int64 // of the whole lines in it
	err  error // why no more can be written
}

// OpenFile opens a file of messages, or makes one. A last line without an end,
// which is what a process that was killed amid a write leaves behind, is of a
// message that nobody has seen, and is cut off.
func OpenFile(name string) (*File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	s := &File{file: f}
	if err := s.load(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// load reads the lines and stands behind the last whole one.
func (s *File) load() error {
	in := bufio.NewReader(s.file)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return s.rewind()
		}
		if err != nil {
			return err
		}
		var m Message
		if err := json.Unmarshal(line, &m); err != nil {
			return fmt.Errorf("message %d: %w", len(s.kept.messages)+1, err)
		}
		if m.ID != int64(len(s.kept.messages))+1 {
			return fmt.Errorf("message %d has id %d", len(s.kept.messages)+1, m.ID)
		}
		s.kept.messages = append(s.kept.messages, m)
		s.size += int64(len(line))
	}
}

// rewind cuts off what follows the whole lines.
func (s *File) rewind() error {
	if err := s.file.Truncate(s.size); err != nil {
		return err
	}
	_, err := s.file.Seek(s.size, io.SeekStart)
	return err
}

// Append stores a message.
func (s *File) Append(m Message) (Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return Message{}, s.err
	}
	m = s.kept.numbered(m)
	if err := s.write(m); err != nil {
		return Message{}, err
	}
	return s.kept.Append(m)
}

// After returns messages that must not be changed: they are the store's own.
func (s *File) After(id int64, n int) ([]Message, error) { return s.kept.After(id, n) }

func (s *File) write(m Message) error {
	var line bytes.Buffer
	if err := json.NewEncoder(&line).Encode(m); err != nil {
		return err
	}
	n, err := s.file.Write(line.Bytes())
	if err != nil {
		s.err = s.rewind() // or the next would be the rest of this line
		return err
	}
	s.size += int64(n)
	return nil
}

// Close closes the file. What is appended from then on fails.
func (s *File) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = os.ErrClosed
	return s.file.Close()
}
