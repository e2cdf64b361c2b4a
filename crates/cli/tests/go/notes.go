package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// notes are the checkpoints that verify: size by size.
type notes struct {
	good, unknown int
	sizes         []int64
	roots         map[int64]tlog.Hash
}

func (n *notes) largest() int64 { return n.sizes[len(n.sizes)-1] }

func readNotes(folder string, verifier note.Verifier) (*notes, error) {
	n := &notes{roots: map[int64]tlog.Hash{}}
	known := note.VerifierList(verifier)

	lines, err := os.ReadFile(filepath.Join(folder, "checkpoints.jsonl"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	whole := bytes.Split(lines, []byte("\n"))
	for i, line := range whole[:len(whole)-1] { // what follows the last LF is torn
		var noted struct{ Note string }
		if err := json.Unmarshal(line, &noted); err != nil {
			if i == len(whole)-2 && bytes.IndexByte(line, 0) >= 0 {
				break
			}
			return nil, fmt.Errorf("checkpoints.jsonl line %d: %w", i+1, err)
		}
		if err := n.add([]byte(noted.Note), known); err != nil {
			return nil, fmt.Errorf("checkpoints.jsonl line %d: %w", i+1, err)
		}
	}

	latest, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err == nil {
		err = n.add(latest, known)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if len(n.sizes) == 0 {
		return nil, errors.New("no checkpoint by this key")
	}
	sort.Slice(n.sizes, func(i, j int) bool { return n.sizes[i] < n.sizes[j] })
	return n, nil
}

func (n *notes) add(raw []byte, known note.Verifiers) error {
	opened, err := note.Open(raw, known)
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		n.unknown++
		return nil
	}
	if err != nil {
		return err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return fmt.Errorf("not origin, size and root: %q", opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return fmt.Errorf("size %q", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil || base64.StdEncoding.EncodeToString(root[:]) != lines[2] {
		return fmt.Errorf("root %q", lines[2])
	}
	if other, seen := n.roots[size]; !seen {
		n.sizes = append(n.sizes, size)
	} else if other != root {
		return fmt.Errorf("two roots signed for size %d: %v and %v", size, other, root)
	}
	n.roots[size] = root
	n.good++
	return nil
}
