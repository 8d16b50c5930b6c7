/**
 * What a server writes on standard error while it runs: an event a line, of a level, as words or as
 * JSON. A table of each program says how every type of event is told; the docs show the same table.
 */
import * as v from 'valibot'
import { printable } from './printable.ts'

/** From what somebody has to act on, to what helps to find out why. */
export const LOG_LEVELS = ['error', 'warning', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export const LOG_FORMATS = ['text', 'json'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

export const LogLevelSetting = v.picklist(LOG_LEVELS)
export const LogFormatSetting = v.picklist(LOG_FORMATS)

/** What is written, and how. */
export interface LogSettings {
  /** Events of this level, and of those before it in {@link LOG_LEVELS}. */
  readonly level: LogLevel
  readonly format: LogFormat
  /** Which of several instances this process is. Default: it is not told. */
  readonly instance?: string | undefined
}

interface Event {
  readonly type: string
}

/** What ended well is no event of a log: only how it ended otherwise. */
type Staged<S extends string> =
  { readonly state: S } | { readonly outcome: { readonly kind: S | 'done' } }

/** How a type of events is told. */
export interface LogRow<E> {
  /** Of each of its states, or outcomes, where it has some. */
  readonly level: [E] extends [Staged<infer S>] ? Readonly<Record<S, LogLevel>> : LogLevel
  /** What it says, for the docs. */
  readonly what: string
  /** The words of one. */
  readonly text: (event: E) => string
  /**
   * What JSON has of it besides. Default: all of it; an event that holds a key, or pages of
   * settings, is told by name.
   */
  readonly fields?: (event: E) => object
}

/** A row for each type: one that is missing is an error of the compiler. */
export type LogTable<E extends Event> = {
  readonly [T in E['type']]: LogRow<Extract<E, { readonly type: T }>>
}

export class Log<E extends Event> {
  readonly #table: Readonly<Record<string, LogRow<E>>>
  readonly #settings: LogSettings
  readonly #write: (line: string) => void

  /** `write` is called with a line at a time. */
  constructor(table: LogTable<E>, settings: LogSettings, write: (line: string) => void) {
    this.#table = table as unknown as Readonly<Record<string, LogRow<E>>>
    this.#settings = settings
    this.#write = write
  }

  tell(event: E): void {
    const row = this.#table[event.type]!
    const level = levelOf(row, event)
    const { level: least, format, instance } = this.#settings
    if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(least)) return
    const message = row.text(event)
    if (format === 'text') {
      const words = instance === undefined ? message : `${instance}: ${message}`
      return this.#write(`${level}: ${printable(words)}`)
    }
    const { type } = event
    const fields = row.fields?.(event) ?? event
    const line = { time: new Date().toISOString(), level, type, instance, message, ...fields }
    this.#write(JSON.stringify(line, plain))
  }
}

/** What was told already, and comes at every try, is for whoever looks closely. */
function levelOf<E extends Event>({ level }: LogRow<E>, event: E): LogLevel {
  if ('isExplained' in event) return 'debug'
  if (typeof level === 'string') return level
  const staged = event as unknown as Staged<string>
  const stage = 'state' in staged ? staged.state : staged.outcome.kind
  return (level as Readonly<Record<string, LogLevel>>)[stage]!
}

/** An error is told by its words, without where in the program it was. */
const plain = (_: string, value: unknown) => (value instanceof Error ? value.message : value)

/** `: why`, where something is known. */
export const because = (cause: unknown) => (cause instanceof Error ? `: ${cause.message}` : '')
