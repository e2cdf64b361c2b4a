// Follows a log over HTTP as a monitor would, with Go's golang.org/x/mod/sumdb/note and tlog: no token, nothing of ours.
//
//	main BASE_URL VERIFIER_KEY [OLDER_CHECKPOINT]
//
// BASE_URL is what /checkpoint and /tile/… follow (C2SP tlog-tiles). The checkpoint must be signed by the key; all other
// hashes come from tiles, which tlog.TileHashReader holds against its root. Proves and checks records, the growth from each
// of some smaller sizes and from the checkpoint in the file OLDER_CHECKPOINT, and that each entry bundle holds the records'
// hashes that the leaves say. Prints the checkpoint's size; with OLDER_CHECKPOINT both. Exit status: 0 all hold, 1 not.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height = 8
	width  = 1 << height
)

// site is a log behind a URL; it is a tlog.TileReader.
type site struct {
	base    string
	client  http.Client
	fetched int
	partial int
}

func (s *site) get(path, kind string) ([]byte, error) {
	answer, err := s.client.Get(s.base + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %q", path, answer.Status, body)
	}
	if got := answer.Header.Get("Content-Type"); got != kind {
		return nil, fmt.Errorf("%s: Content-Type %q, expected %q", path, got, kind)
	}
	return body, nil
}

func (s *site) Height() int { return height }

// ReadTiles takes tlog's tile/8/L/N as C2SP's tile/L/N.
func (s *site) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "/tile/", 1)
		data, err := s.get(path, "application/octet-stream")
		if err != nil {
			return nil, err
		}
		s.fetched++
		if tile.W != width {
			s.partial++
		}
		out[i] = data
	}
	return out, nil
}

func (s *site) SaveTiles([]tlog.Tile, [][]byte) {}

func open(raw []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(raw, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		return tlog.Tree{}, fmt.Errorf("not origin, size and root: %q", opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func (s *site) checkRecords(tree tlog.Tree, hashes tlog.HashReader) (int, error) {
	step, proven := tree.N/50+1, 0
	for index := int64(0); index < tree.N; index += step {
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		if err != nil {
			return 0, err
		}
		proof, err := tlog.ProveRecord(tree.N, index, hashes)
		if err == nil {
			err = tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf[0])
		}
		if err != nil {
			return 0, fmt.Errorf("record %d of %d: %w", index, tree.N, err)
		}
		proven++
	}
	return proven, nil
}

func checkGrowth(tree, older tlog.Tree, hashes tlog.HashReader) error {
	proof, err := tlog.ProveTree(tree.N, older.N, hashes)
	if err == nil {
		err = tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash)
	}
	if err != nil {
		return fmt.Errorf("from %d to %d: %w", older.N, tree.N, err)
	}
	return nil
}

// checkEntries reads all entry bundles: each entry is 32 bytes, whose record hash is the leaf.
func (s *site) checkEntries(tree tlog.Tree, hashes tlog.HashReader) error {
	for first := int64(0); first < tree.N; first += width {
		tile := tlog.Tile{H: height, L: 0, N: first / width, W: width}
		if rest := tree.N - first; rest < width {
			tile.W = int(rest)
		}
		path := strings.Replace(tile.Path(), "tile/8/0/", "/tile/entries/", 1)
		data, err := s.get(path, "application/octet-stream")
		if err != nil {
			return err
		}
		indexes := make([]int64, tile.W)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		leaves, err := hashes.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, leaf := range leaves {
			if len(data) < 2+tlog.HashSize || binary.BigEndian.Uint16(data) != tlog.HashSize {
				return fmt.Errorf("%s: entry %d is not 32 bytes behind their length", path, i)
			}
			if tlog.RecordHash(data[2:2+tlog.HashSize]) != leaf {
				return fmt.Errorf("%s: entry %d is not the leaf's", path, i)
			}
			data = data[2+tlog.HashSize:]
		}
		if len(data) != 0 {
			return fmt.Errorf("%s: %d bytes too many", path, len(data))
		}
	}
	return nil
}

func run(base, key, kept string) error {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return err
	}
	s := &site{base: base, client: http.Client{Timeout: 20 * time.Second}}
	raw, err := s.get("/checkpoint", "text/plain; charset=utf-8")
	if err != nil {
		return err
	}
	tree, err := open(raw, verifier)
	if err != nil {
		return fmt.Errorf("/checkpoint: %w", err)
	}
	if tree.N < 2 {
		return errors.New("too few records")
	}
	hashes := tlog.TileHashReader(tree, s)
	proven, err := s.checkRecords(tree, hashes)
	if err != nil {
		return err
	}
	fmt.Printf("%d records: inclusion of %d holds\n", tree.N, proven)
	// Smaller trees, their roots computed from authenticated hashes.
	for _, size := range []int64{1, 2, tree.N / 3, tree.N - 1} {
		root, err := tlog.TreeHash(size, hashes)
		if err != nil {
			return err
		}
		if err := checkGrowth(tree, tlog.Tree{N: size, Hash: root}, hashes); err != nil {
			return err
		}
	}
	if kept != "" {
		raw, err := os.ReadFile(kept)
		if err != nil {
			return err
		}
		older, err := open(raw, verifier)
		if err != nil {
			return fmt.Errorf("%s: %w", kept, err)
		}
		if older.N >= tree.N {
			return fmt.Errorf("the log has not grown: %d, then %d", older.N, tree.N)
		}
		if err := checkGrowth(tree, older, hashes); err != nil {
			return err
		}
		// The tiles of the size that was, though the log has grown since.
		if _, err := s.checkRecords(older, tlog.TileHashReader(older, s)); err != nil {
			return fmt.Errorf("in the tree of size %d: %w", older.N, err)
		}
		fmt.Printf("consistency with the kept checkpoint of %d records holds\n", older.N)
	}
	if err := s.checkEntries(tree, hashes); err != nil {
		return err
	}
	fmt.Printf("entry bundles are those of the leaves; %d tiles read, %d of them partial\n", s.fetched, s.partial)
	return nil
}

func main() {
	if len(os.Args) != 3 && len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: main BASE_URL VERIFIER_KEY [OLDER_CHECKPOINT]")
		os.Exit(2)
	}
	kept := ""
	if len(os.Args) == 4 {
		kept = os.Args[3]
	}
	if err := run(os.Args[1], os.Args[2], kept); err != nil {
		fmt.Fprintln(os.Stderr, "DISAGREES:", err)
		os.Exit(1)
	}
}
