package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

var (
	segmentName = regexp.MustCompile(`^audit\.log(\.[1-9][0-9]*)?$`)
	wholeLine   = regexp.MustCompile(
		`(?s)^(\{"seq":(0|[1-9][0-9]*),"timestamp":"[^"\\]*Z"[,}].*?),"_prev_hash":"([0-9a-f]{64})","_hash":"([0-9a-f]{64})"\}$`)
	firstSeq = regexp.MustCompile(`^\{"seq":(0|[1-9][0-9]*),`)
	redacted = regexp.MustCompile(`^\{"seq":[0-9]+,"timestamp":"[^"\\]*Z","redacted":true$`)
)

type segment struct {
	path  string
	first int64
}

// segments are the files with records, oldest first, told by their first records.
func segments(folder string) ([]segment, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, entry := range entries {
		if !segmentName.MatchString(entry.Name()) {
			continue
		}
		path := filepath.Join(folder, entry.Name())
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		head := make([]byte, 64)
		n, err := io.ReadFull(file, head)
		file.Close()
		if err == io.EOF {
			continue
		}
		m := firstSeq.FindSubmatch(head[:n])
		if m == nil {
			return nil, fmt.Errorf("%s: does not begin with a record", entry.Name())
		}
		first, err := strconv.ParseInt(string(m[1]), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		out = append(out, segment{path, first})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].first < out[j].first })
	if len(out) == 0 {
		return nil, errors.New("no records")
	}
	return out, nil
}

// readRecords walks the chain and builds the tree. A tail that is no record ends it, beyond what a note covers.
func readRecords(folder string, mark int64) (*tree, error) {
	files, err := segments(folder)
	if err != nil {
		return nil, err
	}
	t, head := &tree{}, make([]byte, 64)
	first := files[0].first
	if first == 0 {
		copy(head, bytes.Repeat([]byte("0"), 64))
	} else if head, err = pruned(folder, files[0], t); err != nil {
		return nil, err
	}
	w := &walk{tree: t, head: head}
	for i, file := range files {
		err := w.segment(file)
		if torn := (*tornTail)(nil); errors.As(err, &torn) && i == len(files)-1 && t.size() >= mark {
			fmt.Printf("torn tail after record %d, beyond every note: %v\n", t.size()-1, torn)
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(file.path), err)
		}
	}
	fmt.Printf("records: %d in %d segments follow each other, from %d on; %d of them redacted\n",
		t.size()-first, len(files), first, w.redacted)
	return t, nil
}

// pruned takes the leaves of removed records from tree/0, and returns the _prev_hash of the first that is left.
func pruned(folder string, oldest segment, t *tree) ([]byte, error) {
	row, err := os.ReadFile(filepath.Join(folder, "tree", "0"))
	if err != nil {
		return nil, err
	}
	if int64(len(row)) < oldest.first*tlog.HashSize {
		return nil, fmt.Errorf("tree/0 lacks leaves of pruned records: %d bytes for %d", len(row), oldest.first)
	}
	for i := int64(0); i < oldest.first; i++ {
		var leaf tlog.Hash
		copy(leaf[:], row[i*tlog.HashSize:])
		if err := t.push(leaf); err != nil {
			return nil, err
		}
	}
	file, err := os.Open(oldest.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	line, err := bufio.NewReader(file).ReadBytes('\n')
	m := wholeLine.FindSubmatch(bytes.TrimSuffix(line, []byte("\n")))
	if err != nil || m == nil {
		return nil, fmt.Errorf("record %d is not whole", oldest.first)
	}
	prev, err := hex.DecodeString(string(m[3]))
	if err != nil {
		return nil, err
	}
	if tlog.RecordHash(prev) != t.leaves[oldest.first-1] {
		return nil, fmt.Errorf("record %d does not follow the last leaf of the pruned records", oldest.first)
	}
	fmt.Printf("pruned: %d leaves from tree/0\n", oldest.first)
	return m[3], nil
}

// tornTail is a line that is no record: what a crash may leave.
type tornTail struct{ why string }

func (e *tornTail) Error() string { return e.why }

type walk struct {
	tree     *tree
	head     []byte // hexadecimal _hash of the record before
	redacted int
}

func (w *walk) segment(s segment) error {
	file, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer file.Close()
	reader := bufio.NewReaderSize(file, 1<<20)
	for {
		line, err := reader.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err == io.EOF {
			return &tornTail{fmt.Sprintf("%d bytes without a line end", len(line))}
		}
		if err != nil {
			return err
		}
		if err := w.record(line[:len(line)-1]); err != nil {
			return err
		}
	}
}

func (w *walk) record(line []byte) error {
	seq := w.tree.size()
	if bytes.IndexByte(line, 0) >= 0 {
		return &tornTail{"a line with NULs"}
	}
	m := wholeLine.FindSubmatch(line)
	if m == nil {
		return fmt.Errorf("after record %d: a line that is no record", seq-1)
	}
	if string(m[2]) != strconv.FormatInt(seq, 10) {
		return fmt.Errorf("record %s where %d should be", m[2], seq)
	}
	if !bytes.Equal(m[3], w.head) {
		return fmt.Errorf("record %d: _prev_hash is %s, expected %s", seq, m[3], w.head)
	}
	if redacted.Match(m[1]) {
		w.redacted++
	} else {
		sum := sha256.New()
		sum.Write(m[3])
		sum.Write(m[1])
		sum.Write([]byte("}"))
		if own := hex.EncodeToString(sum.Sum(nil)); own != string(m[4]) {
			return fmt.Errorf("record %d: _hash is %s, expected %s", seq, m[4], own)
		}
	}
	raw, err := hex.DecodeString(string(m[4]))
	if err != nil {
		return err
	}
	w.head = append([]byte(nil), m[4]...)
	return w.tree.push(tlog.RecordHash(raw))
}
