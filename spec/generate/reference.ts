/**
 * The reference tables of PROTOCOL.md that repeat what the sources say: limits, frame types, codes and reasons.
 *
 * @module
 */
import ts from 'typescript'
import * as protocol from '../../src/protocol/internal.ts'
import { NAVIGATION } from '../../src/cloud/request/navigation.ts'
import { OWN_ANSWERS } from '../../src/cloud/pages/own-answers.ts'
import { failureStatus } from '../../src/protocol/http/failure.ts'
import type { FailureReason } from '../../src/protocol/wire/errors.ts'
import { SIGN_IN_DENIALS } from '../../src/protocol/machines/sign-in-denials.ts'
import { declarationOf, docOf, literalsOf, parse } from './source.ts'
import { markdownTable } from './tables.ts'

/** `TIME_LIMITS` with what each is for. */
export async function timeLimits(): Promise<string> {
  const exchanges = await waits('TimeLimits', protocol.TIME_LIMITS)
  const connections = await waits('ConnectionTimeLimits', protocol.CONNECTION_TIME_LIMITS)
  return `${exchanges}\n\nOf connections; options where a name stands in brackets:\n\n${connections}`
}

async function waits(name: string, defaults: object): Promise<string> {
  const limits = declarationOf(await parse('src/protocol/wire/limits.ts'), name)
  if (!ts.isInterfaceDeclaration(limits)) throw new Error(`${name} must be an interface`)
  let doc = ''
  const rows = limits.members.map((member) => {
    const name = member.name!.getText()
    // A comment above two fields describes both.
    doc = docOf(member) || doc
    const default_ = group((defaults as Record<string, number>)[name]!)
    return [`\`${name}\``, default_, doc.replace(/ ?Defaults? [\d ]+(?: and [\d ]+)?[.]?/, '')]
  })
  return markdownTable(['limit', 'default, ms', 'bounds'], rows)
}

/** Every constant of limits.ts with its value. */
export async function sizeLimits(): Promise<string> {
  const source = await parse('src/protocol/wire/limits.ts')
  let doc = ''
  const rows = source.statements.filter(ts.isVariableStatement).flatMap((statement) => {
    const name = statement.declarationList.declarations[0]!.name.getText()
    const value = (protocol as Record<string, unknown>)[name]
    if (typeof value !== 'number') return []
    doc = docOf(statement) || doc
    return [[`\`${name}\``, group(value), doc]]
  })
  return markdownTable(['constant', 'value', 'meaning'], rows)
}

/** Codes of RESET and STOP, with the failure that each means to the user. */
export async function resetCodes(): Promise<string> {
  const codes = declarationOf(await parse('src/protocol/wire/frame-types.ts'), 'ResetCode')
  const docs = new Map<string, string>()
  const collect = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node)) docs.set(node.name.getText(), docOf(node))
    node.forEachChild(collect)
  }
  // `declarationOf` finds the value: it stands before the type of the same name.
  collect(codes)
  const rows = Object.entries(protocol.ResetCode).map(([name, code]) => {
    const { source, reason } = protocol.failureOf(code)
    return [String(code), `\`${name}\``, docs.get(name) ?? '', `\`${reason}\` (${source})`]
  })
  return markdownTable(['code', 'name', 'meaning', 'a requester reports'], rows)
}

/** Every way a peer can break the protocol. */
export async function violationReasons(): Promise<string> {
  const reasons = await unionOf('PeerViolationReason')
  return reasons.map((reason) => `- \`${reason}\``).join('\n')
}

/** Every way a control call is refused. */
export async function refusalReasons(): Promise<string> {
  const reasons = await unionOf('RefusalReason')
  return reasons.map((reason) => `- \`${reason}\``).join('\n')
}

/** Every way an exchange fails, and what the user is told. */
export async function failureReasons(): Promise<string> {
  const rows = (await unionOf('FailureReason')).map((reason) => {
    const { status, error, title, detail } = failureStatus(reason as FailureReason)
    return [`\`${reason}\``, String(status), `\`${error}\``, `**${title}** ${detail}`]
  })
  return markdownTable(['code', 'HTTP status', 'RFC 9209 error', 'words'], rows)
}

/** Every answer that is about no exchange and no sign-in that failed. */
export function ownAnswers(): string {
  const rows = Object.values(OWN_ANSWERS).map(({ code, status, source, title, detail }) => {
    return [`\`${code}\``, String(status), source, `**${title}** ${detail}`]
  })
  return markdownTable(['code', 'HTTP status', 'source', 'words'], rows)
}

/** Who is sent to sign in, and who is told 401. */
export function navigationRules(): string {
  const rows = NAVIGATION.map(({ when, then, because }, i) => {
    const facts = Object.entries(when).map(
      ([fact, values]: [string, readonly string[]]) => `${fact}: ${values.join(' or ')}`,
    )
    return [String(i + 1), facts.join('; ') || 'any other', `**${then}**`, because]
  })
  return markdownTable(['', 'when', 'then', 'because'], rows)
}

/** What the facts in {@link navigationRules} mean. */
export async function navigationFacts(): Promise<string> {
  const facts = declarationOf(await parse('src/cloud/request/navigation.ts'), 'NavigationFacts')
  if (!ts.isInterfaceDeclaration(facts)) throw new Error('NavigationFacts must be an interface')
  const rows = facts.members.map((member) => {
    const type = (member as ts.PropertySignature).type!.getText().replaceAll("'", '')
    return [`\`${member.name!.getText()}\``, type.replaceAll(' | ', ', '), docOf(member)]
  })
  return markdownTable(['fact', 'one of', 'from'], rows)
}

/** Every way a sign-in is denied. */
export function denialReasons(): string {
  const rows = Object.entries(SIGN_IN_DENIALS).map(
    ([reason, { source, status, title, detail }]) => [
      `\`${reason}\``,
      String(status),
      source,
      `**${title}** ${detail}`,
    ],
  )
  return markdownTable(['code', 'HTTP status', 'source', 'words'], rows)
}

async function unionOf(name: string): Promise<readonly string[]> {
  const source = await parse('src/protocol/wire/errors.ts')
  const union = declarationOf(source, name)
  if (!ts.isTypeAliasDeclaration(union)) throw new Error(`${name} must be a type`)
  return literalsOf(source, union.type)
}

/** Digits in groups of three. */
const group = (value: number) => String(value).replace(/\B(?=(\d{3})+$)/g, ' ')
