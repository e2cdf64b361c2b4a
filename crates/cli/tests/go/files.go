package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const header = "c2sp.org/tlog-proof@v1\n"

// checkFiles checks C2SP tlog-proof files, and proofs of growth from the checkpoint in the file kept.
func checkFiles(verifier note.Verifier, kept string, paths []string) error {
	raw, err := os.ReadFile(kept)
	if err != nil {
		return err
	}
	older, err := openNote(raw, verifier)
	if err != nil {
		return fmt.Errorf("%s: %w", kept, err)
	}
	records, growths := 0, 0
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.HasPrefix(raw, []byte("old ")) {
			err = checkGrowth(raw, older, verifier)
			growths++
		} else {
			err = checkBundle(raw, verifier)
			records++
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	fmt.Printf("files: %d tlog-proofs and %d proofs of growth hold\n", records, growths)
	return nil
}

// head is what a checkpoint says.
type head struct {
	size int64
	root tlog.Hash
}

func openNote(raw []byte, verifier note.Verifier) (head, error) {
	n := &notes{roots: map[int64]tlog.Hash{}}
	if err := n.add(raw, note.VerifierList(verifier)); err != nil {
		return head{}, err
	}
	if n.good != 1 {
		return head{}, errors.New("not signed by this key")
	}
	return head{n.largest(), n.roots[n.largest()]}, nil
}

// split takes the lines before the blank one, and opens the checkpoint behind it.
func split(raw []byte, verifier note.Verifier) ([]string, head, error) {
	before, signed, found := strings.Cut(string(raw), "\n\n")
	if !found {
		return nil, head{}, errors.New("no blank line")
	}
	h, err := openNote([]byte(signed), verifier)
	return strings.Split(before, "\n"), h, err
}

func hashes(lines []string) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(lines))
	for i, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil || base64.StdEncoding.EncodeToString(hash[:]) != line {
			return nil, fmt.Errorf("hash %q", line)
		}
		out[i] = hash
	}
	return out, nil
}

func number(line, name string) (int64, error) {
	digits := strings.TrimPrefix(line, name+" ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || name+" "+strconv.FormatInt(n, 10) != line {
		return 0, fmt.Errorf("expected %s and a number, found %q", name, line)
	}
	return n, nil
}

func checkBundle(raw []byte, verifier note.Verifier) error {
	if !bytes.HasPrefix(raw, []byte(header)) {
		return errors.New("no header")
	}
	lines, h, err := split(raw[len(header):], verifier)
	if err != nil {
		return err
	}
	if len(lines) < 2 || !strings.HasPrefix(lines[0], "extra ") {
		return errors.New("no extra")
	}
	record, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[0], "extra "))
	if err != nil {
		return err
	}
	index, err := number(lines[1], "index")
	if err != nil {
		return err
	}
	proof, err := hashes(lines[2:])
	if err != nil {
		return err
	}
	m := wholeLine.FindSubmatch(record)
	if m == nil || string(m[2]) != strconv.FormatInt(index, 10) {
		return fmt.Errorf("extra is not record %d", index)
	}
	sum := sha256.Sum256(append(append(append([]byte(nil), m[3]...), m[1]...), '}'))
	if hex.EncodeToString(sum[:]) != string(m[4]) {
		return fmt.Errorf("record %d: _hash is %s, expected %x", index, m[4], sum)
	}
	return tlog.CheckRecord(proof, h.size, h.root, index, tlog.RecordHash(sum[:]))
}

func checkGrowth(raw []byte, older head, verifier note.Verifier) error {
	lines, newer, err := split(raw, verifier)
	if err != nil {
		return err
	}
	size, err := number(lines[0], "old")
	if err != nil {
		return err
	}
	if size != older.size {
		return fmt.Errorf("it begins at %d, the kept checkpoint covers %d", size, older.size)
	}
	proof, err := hashes(lines[1:])
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, newer.size, newer.root, older.size, older.root)
}
