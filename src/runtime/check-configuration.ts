/**
 * A configuration held against its schema, and what is wrong told in words for whoever wrote it: a
 * schema library's own messages are for programmers, quote values, and name one mistake of several.
 *
 * @module
 */
import * as v from 'valibot'
import {
  memberOf,
  Mistakes,
  UNKNOWN,
  withoutUndefined,
  type ConfigurationSource,
  type TellMistake,
} from './configuration-mistakes.ts'
import { issueWords, kindOf, oneOf, required, shapeWords, type Shape } from './mistake-words.ts'
import { probableName } from './probable-name.ts'

/**
 * The value of a configuration with its defaults filled in.
 *
 *     const { port } = checkConfiguration(Settings, parseJson(text, file), { file })
 *
 * @param schema a valibot schema of strict objects, variants, unions, lists, records and plain
 *   values
 * @throws ConfigurationInvalid with all mistakes
 */
export function checkConfiguration<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  source: ConfigurationSource = {},
): v.InferOutput<S> {
  const written = withoutUndefined(value, source)
  const mistakes = new Mistakes(written, source)
  const result = v.safeParse(schema, written)
  if (result.success) return result.output
  tellShape(schema, written, '', mistakes.tell)
  throw mistakes.error()
}

/** Tells whatever a value has that its schema refuses. */
export function tellShape(
  schema: v.GenericSchema,
  value: unknown,
  path: string,
  tell: TellMistake,
): void {
  const result = v.safeParse(schema, value)
  if (result.success) return
  const shape = schema as unknown as Shape
  const isObject = kindOf(value) === 'an object'
  if (shape.wrapped) return tellShape(shape.wrapped, value, path, tell)
  if (shape.type === 'union') return tellUnion(shape, value, path, tell)
  if (!isObject && (shape.entries || shape.type === 'variant' || shape.type === 'record'))
    return tell(path, `must be ${shapeWords(shape).words[0]}, not ${kindOf(value)}`)
  if (shape.type === 'variant') return tellMembers(shape, value as object, path, tell)
  if (shape.entries) tellMembers(shape, value as object, path, tell)
  if (shape.item && Array.isArray(value))
    value.forEach((item, i) => tellShape(shape.item!, item, `${path}[${i}]`, tell))
  if (shape.type === 'record')
    for (const [name, member] of Object.entries(value as object)) {
      tellShape(shape.key as v.GenericSchema, name, memberOf(path, name), tell)
      tellShape(shape.value!, member, memberOf(path, name), tell)
    }
  for (const issue of result.issues)
    if (issue.path === undefined) tell(path, issueWords(issue, shape), meantBy(shape, value))
}

/** A list with gaps where a member is not as its schema asks. */
export type Gapped<T> = readonly (T | undefined)[]

/**
 * Those members of an object that are as its schema asks, with defaults filled in; a list of
 * objects has gaps for those that are not. So rules that a schema cannot say are held against what
 * is left.
 */
export function soundMembers(schema: v.GenericSchema, value: unknown): Record<string, unknown> {
  if (kindOf(value) !== 'an object') return {}
  const { entries } = membersOf(schema as unknown as Shape, value as object)
  const sound = Object.entries(entries).flatMap(([name, entry]): [string, unknown][] => {
    const member = (value as Record<string, unknown>)[name]
    const result = v.safeParse(entry as unknown as v.GenericSchema, member)
    if (result.success) return result.output === undefined ? [] : [[name, result.output]]
    const item = itemOf(entry)
    if (item === undefined || !Array.isArray(member)) return []
    return [[name, member.map((one) => soundOrGap(item, one))]]
  })
  return Object.fromEntries(sound)
}

function soundOrGap(schema: v.GenericSchema, value: unknown): unknown {
  const result = v.safeParse(schema, value)
  return result.success ? result.output : undefined
}

/** What a list of objects is of. */
function itemOf(shape: Shape): v.GenericSchema | undefined {
  if (shape.wrapped) return itemOf(shape.wrapped as unknown as Shape)
  const item = shape.item as unknown as Shape | undefined
  return item && (item.entries || item.type === 'variant') ? shape.item : undefined
}

/** Of several shapes the one of the value's kind is meant; else all are named. */
function tellUnion(shape: Shape, value: unknown, path: string, tell: TellMistake): void {
  const options = shape.options as readonly Shape[]
  const meant = options.find((option) => shapeWords(option).kind === kindOf(value))
  const isNamed = meant !== undefined && meant.type !== 'literal' && meant.type !== 'picklist'
  if (isNamed) return tellShape(meant as unknown as v.GenericSchema, value, path, tell)
  tell(path, `must be ${oneOf(shapeWords(shape).words)}`, meantBy(shape, value))
}

/** What was probably meant by a text that is none of those enumerated. */
function meantBy(shape: Shape, value: unknown): string | undefined {
  const named = shapeWords(shape).named
  return typeof value === 'string' && named.length > 0 ? probableName(value, named) : undefined
}

function tellMembers(shape: Shape, value: object, path: string, tell: TellMistake): void {
  const { entries, elsewhere, chosen } = membersOf(shape, value)
  const names = Object.keys(entries)
  const absent = names.filter((name) => !Object.hasOwn(value, name))
  const meant = new Set<string>()
  for (const name of Object.keys(value).filter((one) => !Object.hasOwn(entries, one))) {
    if (shape.type === 'loose_object') continue
    const at = memberOf(path, name)
    if (elsewhere.has(name)) {
      tell(at, `has no meaning with "${chosen}"`)
      continue
    }
    const probable = probableName(name, absent) ?? probableName(name, names)
    if (probable !== undefined) meant.add(probable)
    tell(
      at,
      probable === undefined ? `${UNKNOWN}: there are ${names.join(', ')}` : UNKNOWN,
      probable,
    )
  }
  for (const name of absent)
    // Written with a slip it is not missing as well.
    if (required(entries[name]!) && !meant.has(name))
      tell(memberOf(path, name), `is missing${enumerated(entries[name]!)}`)
  for (const [name, entry] of Object.entries(entries))
    if (Object.hasOwn(value, name))
      tellShape(
        entry as unknown as v.GenericSchema,
        (value as Record<string, unknown>)[name],
        memberOf(path, name),
        tell,
      )
}

function enumerated(entry: Shape): string {
  const { named, words } = shapeWords(entry)
  return named.length === 0 ? '' : `: must be ${oneOf(words)}`
}

/** What may stand in an object of this shape. */
export interface Members {
  readonly entries: Readonly<Record<string, Shape>>
  /** Names that stand in other objects of a variant only. */
  readonly elsewhere: ReadonlySet<string>
  /** What tells the objects of a variant apart, here. */
  readonly chosen?: string
}

/** Of a variant: what the object has that is chosen; where none is, what any of them has. */
export function membersOf(shape: Shape, value: object): Members {
  if (shape.entries !== undefined) return { entries: shape.entries, elsewhere: new Set() }
  const key = shape.key as string
  const options = (shape.options as readonly Shape[]).map(({ entries }) => entries!)
  const written = (value as Record<string, unknown>)[key]
  const own = options.find((entries) => v.is(entries[key] as never, written))
  const elsewhere = new Set(options.flatMap((entries) => Object.keys(entries)))
  if (own !== undefined) {
    for (const name of Object.keys(own)) elsewhere.delete(name)
    return { entries: own, elsewhere, chosen: String(written) }
  }
  const entries: Record<string, Shape> = {}
  for (const one of options)
    for (const [name, entry] of Object.entries(one)) {
      const isShared = options.every((other) => Object.hasOwn(other, name))
      entries[name] ??= isShared ? entry : maybe(entry)
    }
  const tags = options.map((one) => one[key]!.literal as string)
  return { entries: { ...entries, [key]: shapeOf(v.picklist(tags)) }, elsewhere: new Set() }
}

/** What must be there in one object of a variant need not be in another. */
const maybe = (entry: Shape) =>
  required(entry) ? shapeOf(v.optional(entry as unknown as v.GenericSchema)) : entry

const shapeOf = (schema: v.GenericSchema) => schema as unknown as Shape
