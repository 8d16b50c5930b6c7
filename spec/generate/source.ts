/**
 * What the sources say and the running program cannot: doc comments and unions.
 *
 * @module
 */
import { readFile } from 'node:fs/promises'
import ts from 'typescript'

/** A source file of the project, parsed. `path` is relative to the root. */
export async function parse(path: string): Promise<ts.SourceFile> {
  const text = await readFile(new URL(`../../${path}`, import.meta.url), 'utf8')
  return ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true)
}

/** The doc comment of a node as one paragraph; `{@link x}` becomes `x`, `@see` and other tags are left out. */
export function docOf(node: ts.Node): string {
  const comment = ts
    .getJSDocCommentsAndTags(node)
    .filter((doc) => ts.isJSDoc(doc))
    .map((doc) => ts.getTextOfJSDocComment(doc.comment) ?? '')
    .join(' ')
  return comment
    .replace(/\{@link ([^}]+)\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .trim()
}

/** A top-level declaration by name. */
export function declarationOf(
  source: ts.SourceFile,
  name: string,
): ts.TypeAliasDeclaration | ts.InterfaceDeclaration | ts.VariableDeclaration {
  for (const statement of source.statements) {
    if (ts.isTypeAliasDeclaration(statement) || ts.isInterfaceDeclaration(statement)) {
      if (statement.name.text === name) return statement
    } else if (ts.isVariableStatement(statement)) {
      const found = statement.declarationList.declarations.find((d) => d.name.getText() === name)
      if (found !== undefined) return found
    }
  }
  throw new Error(`${source.fileName}: no declaration of ${name}`)
}

/** The members of a union of string literals, following aliases of the same file. */
export function literalsOf(source: ts.SourceFile, type: ts.TypeNode): readonly string[] {
  if (ts.isUnionTypeNode(type)) return type.types.flatMap((member) => literalsOf(source, member))
  if (ts.isLiteralTypeNode(type) && ts.isStringLiteral(type.literal)) return [type.literal.text]
  if (type.kind === ts.SyntaxKind.NeverKeyword) return []
  if (ts.isTypeReferenceNode(type) && type.typeArguments === undefined) {
    const alias = declarationOf(source, type.typeName.getText())
    if (ts.isTypeAliasDeclaration(alias)) return literalsOf(source, alias.type)
  }
  throw new Error(`${source.fileName}: "${type.getText()}" is no union of string literals`)
}
