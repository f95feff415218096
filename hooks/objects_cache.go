package hooks

import (
	"container/list"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// Limits of the cache per repository, in bytes of object data.
const (
	cacheBytes  = 16 << 20
	cacheObject = 1 << 20
)

// emptyTree is the id of the tree without entries. git knows it without having
// it.
var emptyTree = plumbing.NewHash("4b825dc642cb6eb9a060e54bf8d69288fbee4904")

// cacheKey is an id, or for the bases of deltas, whose ids need not be known,
// a place in a pack.
type cacheKey struct {
	id   plumbing.Hash
	pack *pack
	off  int64
}

// objectCache remembers the objects used last.
type objectCache struct {
	mu    sync.Mutex
	items map[cacheKey]*list.Element
	order *list.List // of cached, newest first
	bytes int
}

type cached struct {
	key cacheKey
	obj object
}

func newObjectCache() *objectCache {
	return &objectCache{items: make(map[cacheKey]*list.Element), order: list.New()}
}

func (c *objectCache) get(key cacheKey) (object, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok {
		return object{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(cached).obj, true
}

func (c *objectCache) put(key cacheKey, o object) {
	if len(o.data) > cacheObject {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.items[key]; ok {
		return
	}
	c.items[key] = c.order.PushFront(cached{key, o})
	c.bytes += cost(o)
	for c.bytes > cacheBytes {
		last := c.order.Back()
		item := c.order.Remove(last).(cached)
		delete(c.items, item.key)
		c.bytes -= cost(item.obj)
	}
}

// cost counts an entry's own weight too, or small objects would be free.
func cost(o object) int { return len(o.data) + 200 }

func (c *objectCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.items)
	c.order.Init()
	c.bytes = 0
}
