//! Where a batch's sentences, queries, keys and maps are.

use crate::simd::padded;

/// Positions that the queries of a tile span at most, with a window: for each query, a tile computes up to
/// `TILE - 1` scores outside its window.
const TILE: usize = 32;

/// Neighbouring queries of one sentence, and all keys that at least one of them attends to. Without a window, a
/// sentence is one tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    /// Its first query among the sentence's queries.
    pub(super) query: usize,
    pub(super) queries: usize,
    /// Its first key in the sentence.
    pub(super) key: usize,
    pub(super) keys: usize,
    /// Start of its part in a head's map.
    map: usize,
}

impl Tile {
    /// The keys that the query at this position sees, counted from the tile's first key.
    #[inline(always)]
    #[allow(clippy::inline_always)] // part of vectorised bodies
    pub(super) fn seen(&self, window: Option<usize>, position: u32) -> std::ops::Range<usize> {
        let Some(window) = window else { return 0..self.keys };
        let (position, end) = (position as usize, self.key + self.keys);
        let first = position.saturating_sub(window).clamp(self.key, end);
        let last = (position + window + 1).clamp(first, end);
        first - self.key..last - self.key
    }

    /// Elements from one row of its part of the map to the next.
    pub(super) fn stride(&self) -> usize {
        padded(self.keys)
    }

    /// Its part of a head's map.
    pub(super) fn map(&self) -> std::ops::Range<usize> {
        self.map..self.map + self.queries * self.stride()
    }
}

/// One sentence of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Its first row.
    pub(super) row: usize,
    /// Number of rows.
    pub(super) rows: usize,
    /// Number of rows that are keys.
    pub(super) keys: usize,
    /// First entry in the list of queries, and so first row of the context.
    pub(super) first_query: usize,
    pub(super) queries: usize,
    first_tile: usize,
    tiles: usize,
    /// Start of its maps.
    pub(super) map: usize,
    /// Elements of one head's map.
    pub(super) map_len: usize,
}

/// Positions of a batch's sentences, which rows are queries, and how far a query sees.
#[derive(Clone, Debug)]
pub struct Layout {
    pub(super) heads: usize,
    pub(super) head_size: usize,
    window: Option<usize>,
    pub(super) places: Vec<Place>,
    tiles: Vec<Tile>,
    /// Position of every query in its sentence.
    queries: Vec<u32>,
    rows: usize,
    maps: usize,
}

impl Layout {
    /// A layout of consecutive sentences, each with (rows, keys): its first `keys` rows are keys, and all rows are
    /// queries. With a `window`, a query attends only to keys at most that many positions before or after it.
    pub fn new(
        heads: usize,
        head_size: usize,
        window: Option<usize>,
        sentences: impl Iterator<Item = (usize, usize)>,
    ) -> Self {
        let mut layout = Self::empty(heads, head_size, window);
        for (rows, keys) in sentences {
            assert!(keys <= rows && keys > 0, "{keys} keys in a sentence of {rows} rows");
            layout.push(rows, keys, (0..rows as u32).collect::<Vec<_>>().as_slice());
        }
        layout
    }

    fn empty(heads: usize, head_size: usize, window: Option<usize>) -> Self {
        Self {
            heads,
            head_size,
            window,
            places: Vec::new(),
            tiles: Vec::new(),
            queries: Vec::new(),
            rows: 0,
            maps: 0,
        }
    }

    /// The same sentences, with only the given rows of the batch (ascending) as queries: the context has one row
    /// for each.
    #[must_use]
    pub fn asking(&self, rows: &[u32]) -> Self {
        assert!(rows.is_sorted_by(|a, b| a < b), "query rows must be ascending");
        let mut layout = Self::empty(self.heads, self.head_size, self.window);
        let mut rest = rows;
        for place in &self.places {
            let end = rest.partition_point(|&r| (r as usize) < place.row + place.rows);
            let (own, later) = rest.split_at(end);
            let positions: Vec<u32> = own.iter().map(|&r| r - place.row as u32).collect();
            layout.push(place.rows, place.keys, &positions);
            rest = later;
        }
        assert!(rest.is_empty(), "query rows must be within the batch");
        layout
    }

    fn push(&mut self, rows: usize, keys: usize, positions: &[u32]) {
        let first_tile = self.tiles.len();
        // In a short sentence, every query sees every key.
        let window = self.window.filter(|&window| rows > window + 1);
        let (mut from, mut map_len) = (0, 0);
        while from < positions.len() {
            let (to, seen) = match window {
                None => (positions.len(), 0..keys),
                Some(window) => {
                    let first = positions[from] as usize;
                    let to = positions.partition_point(|&p| (p as usize) < first + TILE);
                    let last = positions[to - 1] as usize;
                    (to, first.saturating_sub(window).min(keys)..(last + window + 1).min(keys))
                }
            };
            let tile =
                Tile { query: from, queries: to - from, key: seen.start, keys: seen.len(), map: map_len };
            map_len = tile.map().end;
            self.tiles.push(tile);
            from = to;
        }
        self.places.push(Place {
            row: self.rows,
            rows,
            keys,
            first_query: self.queries.len(),
            queries: positions.len(),
            first_tile,
            tiles: self.tiles.len() - first_tile,
            map: self.maps,
            map_len,
        });
        self.queries.extend_from_slice(positions);
        self.rows += rows;
        self.maps += self.heads * map_len;
    }

    /// Number of rows in the batch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of queries, which is the number of context rows.
    pub fn queries(&self) -> usize {
        self.queries.len()
    }

    /// Number of elements in the buffer of all maps.
    pub fn map_elements(&self) -> usize {
        self.maps
    }

    /// Number of maps: sentences times heads.
    pub fn maps(&self) -> usize {
        self.places.len() * self.heads
    }

    /// Index of P of (sentence, head, query, key) in the buffer of maps; `query` counts only the sentence's
    /// queries. `None` if the key is outside the query's window, where P is 0.
    pub fn place(&self, sentence: usize, head: usize, query: usize, key: usize) -> Option<usize> {
        let place = &self.places[sentence];
        let position = self.queries[place.first_query + query] as usize;
        if self.window.is_some_and(|window| position.abs_diff(key) > window) {
            return None;
        }
        let tiles = self.tiles(place);
        let tile = tiles[tiles.partition_point(|tile| tile.query <= query) - 1];
        let within = tile.map + (query - tile.query) * tile.stride() + key - tile.key;
        Some(place.map + head * place.map_len + within)
    }

    pub(super) fn hidden(&self) -> usize {
        self.heads * self.head_size
    }

    pub(super) fn tiles(&self, place: &Place) -> &[Tile] {
        &self.tiles[place.first_tile..place.first_tile + place.tiles]
    }

    /// Positions of a tile's queries.
    pub(super) fn positions(&self, place: &Place, tile: &Tile) -> &[u32] {
        &self.queries[place.first_query + tile.query..][..tile.queries]
    }

    pub(super) fn window(&self) -> Option<usize> {
        self.window
    }
}
