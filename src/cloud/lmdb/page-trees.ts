/**
 * Walks the trees of pages of an LMDB file as LMDB would, without mapping it: the tables and the
 * list of free pages. LMDB reads the first when it looks something up, the second when it writes,
 * and believes every number in them.
 *
 * @see the page layout of LMDB 1.0 (`mdb.c`): a header of 24 octets, places of nodes, free space,
 *   nodes
 * @module
 */

/** What a meta page says of its snapshot. */
export interface Snapshot {
  readonly pageSize: number
  readonly lastPage: number
  /** The roots of the tree of free pages and of that of the tables. */
  readonly roots: readonly [free: bigint, tables: bigint]
}

/** Octets of the file from there on; fewer where it ends. */
export type ReadAt = (position: number, octets: number) => Buffer

/** As a root: the tree is empty. */
export const NO_PAGE = 2n ** 64n - 1n
const HEADER = 24
const NODE = 8
const PAGE_KINDS = { mask: 0x6f, branch: 1, leaf: 2, overflow: 4 }
const NODE_KINDS = { plain: 0, overflow: 1, table: 2 }
/** What a table is in its node, and where in that its root is. */
const TABLE = { bytes: 48, root: 40 }

/** Whether every page that LMDB can come to is what it must be. */
export function areTreesSound(read: ReadAt, snapshot: Snapshot): boolean {
  return new PageTrees(read, snapshot).areSound()
}

class PageTrees {
  readonly #read: ReadAt
  readonly #snapshot: Snapshot
  /** Each page belongs to one tree, once. */
  readonly #seen = new Set<number>()
  /** Pages to look at. */
  readonly #next: { readonly page: number; readonly isFree: boolean }[] = []

  constructor(read: ReadAt, snapshot: Snapshot) {
    this.#read = read
    this.#snapshot = snapshot
  }

  areSound(): boolean {
    const [free, tables] = this.#snapshot.roots
    if (!this.#follow(free, true) || !this.#follow(tables, false)) return false
    for (let one = this.#next.pop(); one !== undefined; one = this.#next.pop())
      if (!this.#isPageSound(one.page, one.isFree)) return false
    return true
  }

  /** A root, or a child of a branch. */
  #follow(page: bigint, isFree: boolean): boolean {
    if (page === NO_PAGE) return true
    if (!this.#take(page, 1)) return false
    this.#next.push({ page: Number(page), isFree })
    return true
  }

  #take(first: bigint, pages: number): boolean {
    if (first < 2n || first + BigInt(pages) - 1n > this.#snapshot.lastPage) return false
    for (let page = Number(first); page < Number(first) + pages; page++) {
      if (this.#seen.has(page)) return false
      this.#seen.add(page)
    }
    return true
  }

  #isPageSound(number: number, isFree: boolean): boolean {
    const { pageSize } = this.#snapshot
    const page = this.#read(number * pageSize, pageSize)
    if (page.length < pageSize || page.readBigUInt64LE(0) !== BigInt(number)) return false
    const kind = page.readUInt16LE(18) & PAGE_KINDS.mask
    const isBranch = kind === PAGE_KINDS.branch
    if (!isBranch && kind !== PAGE_KINDS.leaf) return false
    const [lower, upper] = [page.readUInt16LE(20), page.readUInt16LE(22)]
    if (lower === 0 || lower % 2 !== 0 || lower > upper || upper > pageSize - HEADER) return false
    for (let at = HEADER; at < HEADER + lower; at += 2) {
      const place = page.readUInt16LE(at)
      if (place < upper || HEADER + place + NODE > pageSize) return false
      const node = page.subarray(HEADER + place)
      if (!(isBranch ? this.#isBranchSound(node, isFree) : this.#isLeafSound(node, isFree)))
        return false
    }
    return true
  }

  #isBranchSound(node: Buffer, isFree: boolean): boolean {
    const child = BigInt(node.readUIntLE(0, 6))
    return NODE + node.readUInt16LE(6) <= node.length && this.#follow(child, isFree)
  }

  #isLeafSound(node: Buffer, isFree: boolean): boolean {
    const [size, kind] = [node.readUInt32LE(0), node.readUInt16LE(4)]
    const value = node.subarray(NODE + node.readUInt16LE(6))
    if (kind === NODE_KINDS.overflow) {
      const octets = value.length < 8 ? undefined : this.#overflow(value.readBigUInt64LE(0), size)
      return octets !== undefined && (!isFree || this.#areFreeSound(octets))
    }
    if (size > value.length) return false
    if (isFree) return kind === NODE_KINDS.plain && this.#areFreeSound(value.subarray(0, size))
    if (kind === NODE_KINDS.plain) return true
    return (
      kind === NODE_KINDS.table &&
      size === TABLE.bytes &&
      this.#follow(value.readBigUInt64LE(TABLE.root), false)
    )
  }

  /** A value that has pages of its own. */
  #overflow(first: bigint, size: number): Buffer | undefined {
    const { pageSize } = this.#snapshot
    const pages = Math.ceil((HEADER + size) / pageSize)
    if (!this.#take(first, pages)) return undefined
    const octets = this.#read(Number(first) * pageSize, HEADER + size)
    if (octets.length < HEADER + size || octets.readBigUInt64LE(0) !== first) return undefined
    const kind = octets.readUInt16LE(18) & PAGE_KINDS.mask
    if (kind !== PAGE_KINDS.overflow || octets.readUInt32LE(20) !== pages) return undefined
    return octets.subarray(HEADER)
  }

  /** How many they are, then their numbers; a negative one says how many follow each other. */
  #areFreeSound(octets: Buffer): boolean {
    if (octets.length < 8 || octets.length % 8 !== 0) return false
    const count = octets.readBigUInt64LE(0)
    if (count > BigInt(octets.length / 8 - 1)) return false
    const last = BigInt(this.#snapshot.lastPage)
    for (let i = 1; i <= Number(count); i++) {
      const page = octets.readBigInt64LE(8 * i)
      if (page > last || page < -last) return false
    }
    return true
  }
}
