/**
 * What a schema asks for, in words.
 *
 * @module
 */
import type * as v from 'valibot'

/** A schema of valibot's, as far as it is looked into. */
export interface Shape {
  readonly type: string
  readonly entries?: Readonly<Record<string, Shape>>
  readonly item?: v.GenericSchema
  readonly wrapped?: v.GenericSchema
  /** Of a union and a variant: schemas; of a picklist: its members. */
  readonly options?: readonly unknown[]
  /** Of a record: a schema; of a variant: the name that tells its objects apart. */
  readonly key?: v.GenericSchema | string
  readonly value?: v.GenericSchema
  readonly literal?: unknown
}

/** What kind of JSON value it is. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return KINDS[typeof value] ?? 'no JSON value'
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  strict_object: 'an object',
  loose_object: 'an object',
  record: 'an object',
  variant: 'an object',
  picklist: 'a string',
}

/** Whether a member must be there. */
export const required = ({ type }: Shape) =>
  type !== 'optional' && type !== 'exact_optional' && type !== 'nullish'

/** `a`, `b` or `c`. */
export function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

/** What a shape asks for: its kind, each thing that it may be, and what it enumerates. */
export interface ShapeWords {
  readonly kind: string
  readonly words: readonly string[]
  readonly named: readonly string[]
}

export function shapeWords(shape: Shape): ShapeWords {
  if (shape.wrapped) return shapeWords(shape.wrapped as unknown as Shape)
  if (shape.type === 'literal' || shape.type === 'picklist') {
    const options = shape.options ?? [shape.literal]
    const words = options.map((one) => JSON.stringify(one))
    return { kind: kindOf(options[0]), words, named: options.filter(isText) }
  }
  const kind = KINDS[shape.type] ?? shape.type
  if (shape.type === 'union') {
    const options = (shape.options as readonly Shape[]).map(shapeWords)
    const named = options.flatMap((option) => option.named)
    return { kind, words: options.flatMap(({ words }) => words), named }
  }
  const needed = Object.entries(shape.entries ?? {}).filter(([, entry]) => required(entry))
  const names = needed.map(([name]) => `"${name}"`)
  const words = names.length === 0 ? kind : `${kind} with ${and(names)}`
  return { kind, words: [words], named: [] }
}

const isText = (value: unknown): value is string => typeof value === 'string'

const and = (words: readonly string[]) =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`

/** What is wrong with a value, for a person; quotes nothing of it. */
export function issueWords(issue: v.BaseIssue<unknown>, shape: Shape): string {
  if (issue.kind === 'schema') {
    const { kind, words, named } = shapeWords(shape)
    const found = kindOf(issue.input)
    const asked = `must be ${oneOf(words)}`
    return named.length > 0 || found === kind ? asked : `${asked}, not ${found}`
  }
  // Who wrote words of their own into a schema means them.
  if (!issue.message.startsWith('Invalid ')) return issue.message
  const requirement = (issue as { readonly requirement?: unknown }).requirement
  const units = Array.isArray(issue.input) ? 'members' : 'characters'
  const words = VALIDATIONS[issue.type]?.(requirement as number, units)
  return words ?? `must be ${issue.expected ?? issue.type}`
}

const VALIDATIONS: Readonly<Record<string, (bound: number, units: string) => string>> = {
  integer: () => 'must be a whole number',
  url: () => 'must be an absolute URL',
  iso_timestamp: () => 'must be a time such as "2026-06-01T10:00:00Z"',
  min_value: (least) => `must be at least ${least}`,
  gt_value: (bound) => `must be more than ${bound}`,
  max_value: (most) => `must be at most ${most}`,
  min_length: (least, units) =>
    least === 1 ? 'must not be empty' : `must have at least ${least} ${units}`,
  max_length: (most, units) => `must have at most ${most} ${units}`,
}
