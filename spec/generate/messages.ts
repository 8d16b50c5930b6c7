/**
 * The control messages field by field: what they must be from `src/protocol/wire/message-schemas.ts`,
 * what they mean from `src/protocol/wire/messages.ts`.
 *
 * @module
 */
import ts from 'typescript'
import { PROTOCOL_VERSION } from '../../src/protocol/internal.ts'
import * as LIMITS from '../../src/protocol/wire/limits.ts'
import { declarationOf, docOf, parse } from './source.ts'
import { markdownTable } from './tables.ts'

interface Field {
  readonly name: string
  readonly type: string
  readonly doc: string
}

/** A chapter: each message, and each object that messages share. */
export async function messageReference(): Promise<string> {
  const source = await parse('src/protocol/wire/message-schemas.ts')
  const types = await parse('src/protocol/wire/messages.ts')
  const sections: string[] = []
  for (const statement of source.statements.filter(ts.isVariableStatement)) {
    const { name, initializer } = statement.declarationList.declarations[0]!
    if (initializer === undefined || !ts.isCallExpression(initializer)) continue
    const [called, argument] = callOf(narrowed(initializer))
    if (called !== 'object' && called !== 'variant') continue
    const told = declarationOf(types, name.getText())
    const doc = docOf(told)
    const intro = `### ${name.getText()}${doc === '' ? '' : `\n\n${doc}`}`
    const described = describedBy(types, told)
    if (called === 'object')
      sections.push(`${intro}\n\n${fieldTable(source, argument!, types, described)}`)
    if (called === 'variant') {
      const members = initializer.arguments[1]
      if (members === undefined || !ts.isArrayLiteralExpression(members)) continue
      const variants = members.elements.map((member, i) =>
        fieldTable(source, callOf(member as ts.CallExpression)[1]!, types, described.slice(i)),
      )
      sections.push([intro, variants.join('\n\nor\n\n')].join('\n\n'))
    }
  }
  return sections.join('\n\n')
}

type Described = ts.InterfaceDeclaration | ts.TypeLiteralNode

/** Where the members of a type are written, one place for each of its variants. */
function describedBy(types: ts.SourceFile, type: ts.Node): readonly Described[] {
  if (ts.isInterfaceDeclaration(type) || ts.isTypeLiteralNode(type)) return [type]
  if (ts.isTypeAliasDeclaration(type)) return describedBy(types, type.type)
  if (ts.isUnionTypeNode(type)) return type.types.flatMap((member) => describedBy(types, member))
  if (ts.isTypeReferenceNode(type) && type.typeArguments === undefined)
    return describedBy(types, declarationOf(types, type.typeName.getText()))
  return []
}

/** The message of one that checks span: their words are in its comment. */
function narrowed(call: ts.CallExpression): ts.CallExpression {
  const [called, first] = callOf(call)
  const isMessage =
    called === 'pipe' && ts.isCallExpression(first!) && callOf(first)[0] === 'object'
  return isMessage ? (first as ts.CallExpression) : call
}

function fieldTable(
  source: ts.SourceFile,
  object: ts.Node,
  types: ts.SourceFile,
  [described]: readonly Described[],
): string {
  const fields = fieldsOf(source, object, types, described)
  const rows = fields.map(({ name, type, doc }) => [`\`${name}\``, type, doc])
  return markdownTable(['key', 'value', ''], rows)
}

function fieldsOf(
  source: ts.SourceFile,
  object: ts.Node,
  types: ts.SourceFile,
  described: Described | undefined,
): Field[] {
  if (!ts.isObjectLiteralExpression(object)) throw new Error(`"${object.getText()}" is no object`)
  return object.properties.flatMap((property) => {
    const value = ts.isPropertyAssignment(property)
      ? property.initializer
      : (property as ts.ShorthandPropertyAssignment).name
    const name = property.name!.getText()
    const member = described?.members.find((one) => one.name?.getText() === name)
    if (member === undefined || !ts.isPropertySignature(member))
      throw new Error(`messages.ts says nothing of "${name}"`)
    const inner = innerObject(value)
    const nested =
      inner === undefined ? [] : fieldsOf(source, inner, types, describedBy(types, member.type!)[0])
    return [
      { name, type: typeOf(source, value), doc: docOf(member) },
      ...nested.map((field) => ({ ...field, name: `${name}.${field.name}` })),
    ]
  })
}

/** The literal of an object that is written where it is used. */
function innerObject(value: ts.Node): ts.Node | undefined {
  if (!ts.isCallExpression(value)) return undefined
  const [called, argument] = callOf(value)
  if (called === 'object' || called === 'looseObject') return argument
  return called === 'optional' && argument !== undefined ? innerObject(argument) : undefined
}

function typeOf(source: ts.SourceFile, value: ts.Node): string {
  if (ts.isIdentifier(value)) return referenceOf(source, value.text)
  if (!ts.isCallExpression(value)) throw new Error(`"${value.getText()}" is no schema`)
  const [called, first, second] = callOf(value)
  switch (called) {
    case 'object':
      return 'map'
    case 'looseObject':
      return 'map with more keys'
    case 'optional':
      return `${typeOf(source, first!)}, optional`
    case 'array':
      return `array of ${typeOf(source, first!)}`
    case 'record':
      return `map, ${typeOf(source, first!)} → ${typeOf(source, second!)}`
    case 'literal':
      return `\`${literalText(source, first!)}\``
    case 'picklist':
      return (first as ts.ArrayLiteralExpression).elements
        .map((element) => `\`${literalText(source, element)}\``)
        .join(' or ')
    case 'instance':
      return 'octets'
    case 'string':
      return 'string'
    case 'number':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'pipe':
      return piped(source, value.arguments)
    default:
      throw new Error(`message-schemas.ts uses v.${called}(), which this generator cannot name yet`)
  }
}

/** A base schema and what narrows it. */
function piped(source: ts.SourceFile, steps: readonly ts.Expression[]): string {
  let type = typeOf(source, steps[0]!)
  const bounds: string[] = []
  for (const step of steps.slice(1)) {
    const [called, argument] = callOf(step as ts.CallExpression)
    if (called === 'integer') type = 'integer'
    else if (called === 'length') bounds.push(`exactly ${boundOf(argument!)}`)
    else if (/^min/.test(called)) bounds.push(`at least ${boundOf(argument!)}`)
    else if (/^max/.test(called)) bounds.push(`at most ${boundOf(argument!)}`)
  }
  const unit = type.startsWith('string')
    ? ' characters'
    : type.startsWith('array')
      ? ' elements'
      : ''
  const range = bounds.join(', ')
  return range === '' ? type : `${type} (${range}${unit})`
}

/** A number as it is written, or the value of a limit by its name. */
function boundOf(argument: ts.Expression): string {
  if (!ts.isIdentifier(argument)) return argument.getText()
  const { [argument.text]: value } = LIMITS as Readonly<Record<string, unknown>>
  if (typeof value !== 'number') throw new Error(`limits.ts has no number ${argument.text}`)
  return String(value)
}

/** A constant of the same file: a scalar by what it is, a message or shared object by its name. */
function referenceOf(source: ts.SourceFile, name: string): string {
  // PROTOCOL.md says once how long it may be.
  if (name === 'text') return 'text'
  const declaration = declarationOf(source, name)
  if (!ts.isVariableDeclaration(declaration) || declaration.initializer === undefined)
    throw new Error(`${name} is no schema`)
  const { initializer } = declaration
  const isObject = ts.isCallExpression(initializer) && callOf(narrowed(initializer))[0] === 'object'
  return isObject ? `map: [${name}](#${name.toLowerCase()})` : typeOf(source, initializer)
}

function literalText(source: ts.SourceFile, literal: ts.Node): string {
  if (ts.isIdentifier(literal)) {
    if (literal.text === 'PROTOCOL_VERSION') return String(PROTOCOL_VERSION)
    const declaration = declarationOf(source, literal.text)
    if (ts.isVariableDeclaration(declaration)) return declaration.initializer!.getText()
  }
  return ts.isStringLiteral(literal) ? literal.text : literal.getText()
}

/** `v.name(first, second)` as its parts. */
function callOf(
  call: ts.CallExpression,
): [called: string, first: ts.Expression | undefined, second: ts.Expression | undefined] {
  const { expression } = call
  const called = ts.isPropertyAccessExpression(expression) ? expression.name.text : ''
  return [called, call.arguments[0], call.arguments[1]]
}
