package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// rows are the files tree/<L>, as far as the largest note covers them.
type rows [][]byte

func readRows(folder string, size int64, t *tree) (rows, error) {
	var out rows
	hashes := 0
	for level := 0; size>>(level*height) > 0; level++ {
		data, err := os.ReadFile(filepath.Join(folder, "tree", strconv.Itoa(level)))
		if err != nil {
			return nil, err
		}
		count := size >> (level * height)
		if int64(len(data)) < count*tlog.HashSize {
			return nil, fmt.Errorf("tree/%d has %d bytes, expected %d hashes", level, len(data), count)
		}
		for i := int64(0); i < count; i++ {
			want := t.stored[tlog.StoredHashIndex(level*height, i)]
			if string(data[i*tlog.HashSize:(i+1)*tlog.HashSize]) != string(want[:]) {
				return nil, fmt.Errorf("tree/%d: hash %d is not that of the records", level, i)
			}
			hashes++
		}
		out = append(out, data)
	}
	fmt.Printf("rows: %d hashes in %d rows are those of the records\n", hashes, len(out))
	return out, nil
}

// ReadHashes makes rows a tlog.HashReader: a hash between two rows is folded from the lower one.
func (r rows) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		row, up := level/height, level%height
		first, last := n<<up, (n+1)<<up
		if row >= len(r) || last*tlog.HashSize > int64(len(r[row])) {
			return nil, fmt.Errorf("no hash (%d, %d) in the rows", level, n)
		}
		fold := make([]tlog.Hash, last-first)
		for j := range fold {
			copy(fold[j][:], r[row][(first+int64(j))*tlog.HashSize:])
		}
		for len(fold) > 1 {
			for j := 0; j < len(fold)/2; j++ {
				fold[j] = tlog.NodeHash(fold[2*j], fold[2*j+1])
			}
			fold = fold[:len(fold)/2]
		}
		out[i] = fold[0]
	}
	return out, nil
}
