/**
 * The reference of a configuration file, made of its JSON Schema: a table for each object in it.
 *
 * @module
 */
import { markdownTable } from './tables.ts'

/** As much of a JSON Schema as ours have. */
interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly additionalProperties?: Schema | boolean
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
}

/** Where an object is met, and what it is. */
interface Place {
  readonly path: string
  readonly schema: Schema
}

/** All tables, the outermost object first, what is met in several places last. */
export function configurationReference(root: object, outermost: string): string {
  const { $defs = {}, definitions = $defs } = root as Record<string, Record<string, Schema>>
  const sections = placesIn({ path: '', schema: root as Schema }).map((place) =>
    section(place, place.path === '' ? outermost : `\`${place.path}\``),
  )
  const shared = Object.entries(definitions).flatMap(([name, schema]) =>
    placesIn({ path: name, schema: merged(schema) }).map((place) =>
      section(place, place.path === name ? name : `\`${place.path}\``),
    ),
  )
  return [...sections, ...shared].join('\n\n')
}

/** An object, and those within it. */
function placesIn(place: Place): Place[] {
  const within = Object.entries(place.schema.properties ?? {}).flatMap(([name, schema]) => {
    const path = place.path === '' ? name : `${place.path}.${name}`
    return objectsOf(path, schema)
  })
  return [place, ...within.flatMap(placesIn)]
}

/** The objects that a value may be, or hold. */
function objectsOf(path: string, schema: Schema): Place[] {
  const whole = merged(schema)
  if (whole.properties !== undefined) return [{ path, schema: whole }]
  if (schema.items !== undefined) return objectsOf(`${path}[]`, schema.items)
  if (typeof schema.additionalProperties === 'object')
    return objectsOf(`${path}.*`, schema.additionalProperties)
  return variantsOf(schema).flatMap((one) => objectsOf(path, one))
}

const variantsOf = ({ anyOf, oneOf }: Schema) => anyOf ?? oneOf ?? []

/** Variants of one object, told by a constant, as one table. */
function merged(schema: Schema): Schema {
  const variants = variantsOf(schema)
  if (variants.length === 0 || variants.some(({ properties }) => properties === undefined))
    return schema
  const properties: Record<string, Schema> = {}
  for (const variant of variants)
    for (const [name, one] of Object.entries(variant.properties!)) {
      const before = properties[name]
      const isTold = before !== undefined && 'const' in one
      const described = { ...before, ...one }
      properties[name] = isTold
        ? { ...described, const: undefined, enum: [...(before.enum ?? [before.const]), one.const] }
        : one
    }
  const tag = Object.keys(properties).find((name) =>
    variants.every((variant) => variant.properties![name]?.const !== undefined),
  )
  for (const [name, one] of Object.entries(properties)) {
    const having = variants.filter((variant) => name in variant.properties!)
    if (tag === undefined || having.length === variants.length) continue
    const told = having.map(({ properties }) => `\`${String(properties![tag]!.const)}\``)
    const only = `Only with ${told.join(' or ')}`
    const isNeeded = having.every(({ required }) => required?.includes(name))
    properties[name] = {
      ...one,
      description: `${one.description ?? ''} ${only}${isNeeded ? ', and then always' : ''}.`,
    }
  }
  const required = Object.keys(properties).filter((name) =>
    variants.every((variant) => variant.required?.includes(name)),
  )
  return { ...schema, properties, required }
}

function section({ path, schema }: Place, title: string): string {
  const rows = Object.entries(schema.properties!)
    .filter(([name]) => name !== '$schema')
    .map(([name, one]) => [
      schema.required?.includes(name) ? `**\`${name}\`**` : `\`${name}\``,
      valueOf(path === '' ? name : `${path}.${name}`, one),
      [one.description ?? '', defaultOf(one)].filter((text) => text !== '').join(' '),
    ])
  const table = markdownTable(['setting', 'value', 'what it does'], rows)
  return [
    `### ${anchor(path)}${title}`,
    ...(schema.description ? [schema.description] : []),
    table,
  ].join('\n\n')
}

function defaultOf({ default: value, description = '' }: Schema): string {
  if (value === undefined || /\bDefaults?\b/.test(description)) return ''
  if (JSON.stringify(value) === '{}') return ''
  return `Default: ${JSON.stringify(value) === '[]' ? 'none' : `\`${JSON.stringify(value)}\``}.`
}

/** The kinds of values that a setting may have, in words. */
function valueOf(path: string, schema: Schema): string {
  const { $ref, type, enum: values, items, additionalProperties } = schema
  if ($ref !== undefined) {
    const name = $ref.replace(/^.*\//, '')
    return `[${name}](#${anchorOf(name)})`
  }
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``
  if (values !== undefined) return values.map((one) => `\`${JSON.stringify(one)}\``).join(' or ')
  if (merged(schema).properties !== undefined) return `[object](#${anchorOf(path)})`
  const variants = variantsOf(schema)
  if (variants.length > 0)
    return [...new Set(variants.map((one) => valueOf(path, one)))].join(', or ')
  if (items !== undefined) return `list of ${valueOf(`${path}[]`, items)}`
  if (typeof additionalProperties === 'object')
    return `object: name → ${valueOf(`${path}.*`, additionalProperties)}`
  if (type === 'integer' || type === 'number') return `number${bounds(schema)}`
  return type === 'string' ? 'text' : (type ?? 'anything')
}

function bounds({ minimum, maximum }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return `, ${minimum} to ${maximum}`
  if (minimum !== undefined) return `, at least ${minimum}`
  return maximum === undefined ? '' : `, at most ${maximum}`
}

/** Renderers do not agree on the anchor of a path: it has one of its own. */
const anchor = (path: string) => (path === '' ? '' : `<a id="${anchorOf(path)}"></a>`)

const anchorOf = (path: string) =>
  path
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/-$/, '')
