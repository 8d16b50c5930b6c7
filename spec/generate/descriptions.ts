/**
 * Descriptions for a JSON Schema, from the comments of the interfaces that say the same in TypeScript: what an editor shows
 * beside a member is written down once.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import ts from 'typescript'

/** A JSON Schema, as far as it is described. */
export interface SchemaNode {
  $ref?: string
  description?: string
  properties?: Record<string, SchemaNode>
  additionalProperties?: SchemaNode | boolean
  items?: SchemaNode
  anyOf?: SchemaNode[]
  oneOf?: SchemaNode[]
  definitions?: Record<string, SchemaNode>
  $defs?: Record<string, SchemaNode>
}

interface Member {
  readonly doc: string
  readonly type: ts.TypeNode
}

/** One of the types that a value may have. */
interface Alternative {
  readonly members?: ReadonlyMap<string, Member>
  /** What members of any name are. */
  readonly index?: ts.TypeNode
  readonly item?: ts.TypeNode
}

/**
 * Describes every member of a schema by the comment of the interface's member.
 *
 * @param root the interface that the whole schema is of
 * @param files where it, and whatever it names, is declared
 * @throws Error for a member without comment, and for one that no interface has
 */
export function describeSchema(schema: SchemaNode, root: string, files: readonly string[]): void {
  const declared = new Map<string, ts.InterfaceDeclaration | ts.TypeAliasDeclaration>()
  for (const file of files) {
    const text = readFileSync(file, 'utf8')
    for (const one of ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true).statements)
      if (ts.isInterfaceDeclaration(one) || ts.isTypeAliasDeclaration(one))
        declared.set(one.name.text, one)
  }
  const types = new Types(declared)
  new Describer(types, schema.definitions ?? schema.$defs ?? {}).describe(schema, types.named(root))
}

class Describer {
  readonly #types: Types
  readonly #definitions: Readonly<Record<string, SchemaNode>>
  readonly #described = new Set<SchemaNode>()

  constructor(types: Types, definitions: Readonly<Record<string, SchemaNode>>) {
    this.#types = types
    this.#definitions = definitions
  }

  describe(schema: SchemaNode, types: readonly Alternative[]): void {
    if (this.#described.has(schema)) return
    this.#described.add(schema)
    if (schema.$ref !== undefined)
      this.describe(this.#definitions[schema.$ref.split('/').at(-1)!]!, types)
    for (const one of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) this.describe(one, types)
    const listed = types.flatMap(({ item }) => (item ? this.#types.of(item) : []))
    if (schema.items !== undefined) this.describe(schema.items, listed)
    const named = types.flatMap(({ index }) => (index ? this.#types.of(index) : []))
    if (typeof schema.additionalProperties === 'object')
      this.describe(schema.additionalProperties, named)
    if (schema.properties !== undefined) this.#describeMembers(schema.properties, types)
  }

  #describeMembers(properties: Record<string, SchemaNode>, types: readonly Alternative[]): void {
    const names = Object.keys(properties)
    const members = types
      .flatMap((one) => one.members ?? [])
      .filter((one) => names.every((name) => one.has(name)))
      .sort((one, other) => one.size - other.size)[0]
    if (members === undefined) throw new Error(`no interface has ${names.join(', ')}`)
    for (const [name, property] of Object.entries(properties)) {
      const { doc, type } = members.get(name)!
      if (doc === '') throw new Error(`${name} has no comment, beside ${names.join(', ')}`)
      property.description = doc
      this.describe(property, this.#types.of(type))
    }
  }
}

class Types {
  readonly #declared: ReadonlyMap<string, ts.InterfaceDeclaration | ts.TypeAliasDeclaration>

  constructor(declared: ReadonlyMap<string, ts.InterfaceDeclaration | ts.TypeAliasDeclaration>) {
    this.#declared = declared
  }

  named(name: string): readonly Alternative[] {
    const declaration = this.#declared.get(name)
    // What is declared elsewhere, and has no members of interest.
    if (declaration === undefined) return []
    if (ts.isTypeAliasDeclaration(declaration)) return this.of(declaration.type)
    const members = new Map<string, Member>()
    const inherited = (declaration.heritageClauses ?? []).flatMap((clause) => clause.types)
    for (const { expression } of inherited)
      for (const { members: more } of this.named(expression.getText()))
        for (const [name, member] of more ?? []) members.set(name, member)
    return [withMembers(declaration.members, members)]
  }

  of(type: ts.TypeNode): readonly Alternative[] {
    if (ts.isParenthesizedTypeNode(type)) return this.of(type.type)
    if (ts.isTypeOperatorNode(type)) return this.of(type.type)
    if (ts.isUnionTypeNode(type)) return type.types.flatMap((one) => this.of(one))
    if (ts.isArrayTypeNode(type)) return [{ item: type.elementType }]
    if (ts.isTypeLiteralNode(type)) return [withMembers(type.members, new Map())]
    if (ts.isIntersectionTypeNode(type)) {
      const all = type.types.flatMap((one) => [...(this.of(one)[0]?.members ?? [])])
      return [{ members: new Map(all) }]
    }
    if (ts.isMappedTypeNode(type)) {
      // `[K in keyof X]`: X's members, with X's comments.
      const constraint = type.typeParameter.constraint
      return constraint && ts.isTypeOperatorNode(constraint) ? this.of(constraint.type) : []
    }
    if (!ts.isTypeReferenceNode(type)) return []
    const [first, second] = type.typeArguments ?? []
    const name = type.typeName.getText()
    if (name === 'Readonly' || name === 'Partial') return this.of(first!)
    if (name === 'Record') return [{ index: second! }]
    return this.named(name)
  }
}

function withMembers(
  elements: readonly ts.TypeElement[],
  members: Map<string, Member>,
): Alternative {
  for (const one of elements)
    if (ts.isPropertySignature(one) && one.type)
      members.set(one.name.getText(), { doc: docOf(one), type: one.type })
  return { members }
}

/** The text of a comment in one line. */
function docOf(node: ts.PropertySignature): string {
  const comments = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc)
  const text = comments.map(({ comment }) => ts.getTextOfJSDocComment(comment) ?? '').join('\n')
  return text
    .replace(/\{@link (\w+)\}/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
}
