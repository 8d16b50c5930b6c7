/**
 * JSON as a person writes it: where it is not JSON, line and column are told. Nothing of the text
 * is quoted, for it may hold secrets.
 *
 * @see RFC 8259
 * @module
 */
import { ConfigurationInvalid } from '../protocol/wire/errors.ts'
import { MAX_DEPTH, memberOf } from './configuration-mistakes.ts'

/**
 * The value of a JSON text; a byte order mark before it is passed over.
 *
 * @param file named in the mistake
 * @throws ConfigurationInvalid with line and column, for what is no JSON, and for a member that is
 *   written twice, of which only one could be taken
 */
export function parseJson(text: string, file?: string): unknown {
  const json = text.startsWith('\ufeff') ? text.slice(1) : text
  new JsonScan(json, file).check()
  return JSON.parse(json)
}

/** Looks for the first place at which a text is no JSON. */
class JsonScan {
  readonly #text: string
  readonly #file: string | undefined
  #at = 0

  constructor(text: string, file: string | undefined) {
    this.#text = text
    this.#file = file
  }

  check(): void {
    this.#blank()
    if (this.#at === this.#text.length) this.#fail('is empty: JSON is needed')
    this.#value('', 0)
    this.#blank()
    if (this.#at < this.#text.length) this.#fail('something stands behind the end of the JSON')
  }

  /** `before`: the sign that a value is due after. */
  #value(path: string, depth: number, before = ''): void {
    if (depth > MAX_DEPTH) this.#fail(`is nested deeper than ${MAX_DEPTH}`)
    const first = this.#text[this.#at]
    if (first === '{') return this.#object(path, depth)
    if (first === '[') return this.#array(path, depth)
    if (first === '"') return void this.#string()
    const word =
      /(?:true|false|null)(?![\w-])|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y
    word.lastIndex = this.#at
    const length = word.exec(this.#text)?.[0].length
    if (length === undefined) this.#fail(noValue(this.#text.slice(this.#at, this.#at + 2), before))
    this.#at += length
  }

  #object(path: string, depth: number): void {
    const names = new Set<string>()
    this.#at++
    this.#blank()
    if (this.#isNext('}')) return
    for (;;) {
      const start = this.#at
      if (this.#text[start] !== '"') this.#fail(noName(this.#text[start]))
      const name = JSON.parse(this.#string()) as string
      const member = memberOf(path, name)
      if (names.has(name)) this.#fail('is written twice: only one of them counts', start, member)
      names.add(name)
      this.#blank()
      if (!this.#isNext(':')) this.#fail('":" is missing behind the name')
      this.#blank()
      this.#value(member, depth + 1, ':')
      const end = this.#at
      this.#blank()
      if (this.#isNext('}')) return
      if (!this.#isNext(',')) this.#fail('"," or "}" is missing here', end)
      this.#blank()
    }
  }

  #array(path: string, depth: number): void {
    this.#at++
    this.#blank()
    if (this.#isNext(']')) return
    for (let i = 0; ; i++) {
      this.#value(`${path}[${i}]`, depth + 1, i === 0 ? '[' : ',')
      const end = this.#at
      this.#blank()
      if (this.#isNext(']')) return
      if (!this.#isNext(',')) this.#fail('"," or "]" is missing here', end)
      this.#blank()
    }
  }

  #string(): string {
    // What a string may not hold as it is, JSON has escapes for.
    // By the run: sign for sign, the regular expression remembers each.
    const string = /"(?:[^"\\\0-\x1f]+|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*/y
    string.lastIndex = this.#at
    const start = this.#at
    this.#at += string.exec(this.#text)![0].length
    if (this.#isNext('"')) return this.#text.slice(start, this.#at)
    if (this.#text[this.#at] === '\\') this.#fail('"\\" begins no escape that JSON has')
    return this.#fail('a string has no end on its line', start)
  }

  #blank(): void {
    const blank = /[ \t\r\n]*/y
    blank.lastIndex = this.#at
    this.#at += blank.exec(this.#text)![0].length
  }

  #isNext(sign: string): boolean {
    if (this.#text[this.#at] !== sign) return false
    this.#at++
    return true
  }

  #fail(detail: string, at = this.#at, path = ''): never {
    const before = this.#text.slice(0, at).split('\n')
    const [line, column] = [before.length, before.at(-1)!.length + 1]
    throw new ConfigurationInvalid([{ file: this.#file, line, column, path, detail }])
  }
}

function noValue(next: string, before: string): string {
  if (next === '') return 'ends too early: a value is missing'
  if (before === ',' && next[0] === ']') return COMMA_AT_END
  if (/^[}\],]/.test(next)) return `a value is missing${before === '' ? '' : ` behind "${before}"`}`
  if (next[0] === "'") return 'strings stand between double quotes in JSON'
  if (next === '//' || next === '/*' || next[0] === '#') return 'JSON has no comments'
  return 'is no value that JSON has'
}

const COMMA_AT_END = 'a "," stands before the end: JSON has none there'

function noName(next: string | undefined): string {
  if (next === undefined) return 'ends too early: "}" is missing'
  if (next === '}') return COMMA_AT_END
  if (next === '/' || next === '#') return 'JSON has no comments'
  return 'a name between double quotes is missing'
}
