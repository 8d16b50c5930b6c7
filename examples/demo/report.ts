/**
 * What the demo says when it is ready: a table for people, or one line for programs.
 */
import { join } from 'node:path'
import type { Binding } from 'app-proxy/protocol'
import type { DemoApplication } from './configurations.ts'

export interface DemoUser {
  readonly username: string
  readonly password: string
  /** The second factor. */
  readonly pin?: string
}

/** A program that gets tokens for the intranet, and for the gRPC service, by itself. */
export interface DemoRobot {
  readonly id: string
  readonly secret: string
  readonly scope: string
  /** Holds `Authorization: Bearer …` with a token that is good. */
  readonly authorizationFile: string
  /** The same for the gRPC service, where there is one. */
  readonly rpcAuthorizationFile?: string
}

export interface Ready {
  readonly applications: readonly DemoApplication[]
  /** The first may use what is behind sign-in, the second may not, the third not the vault. */
  readonly users: readonly DemoUser[]
  readonly robot: DemoRobot
  readonly issuer: string
  readonly connectorUrl: string
  /** How the connector reached each cloud instance. */
  readonly bindings: Readonly<Record<string, Binding>>
  /** PEM: the authority of the connector listener, and of the user listener with `--https`. */
  readonly caFile: string
  readonly stateDir: string
  /** Where there are several: id → where connectors reach it. */
  readonly instances?: Readonly<Record<string, string>>
}

/** How programs are called where the demo was started. */
export interface ProgramWords {
  /** What it calls itself. */
  readonly name: string
  readonly demo: string
  readonly cli: string
  /** The folder that they are in. */
  readonly examples: string
}

export const IN_REPOSITORY: ProgramWords = {
  name: 'demo',
  demo: 'npm run demo --',
  cli: 'node --import tsx src/cli/main.ts',
  examples: 'examples/',
}
/** By `app-proxy demo`, in a project that the package is installed in. */
export const IN_PACKAGE: ProgramWords = {
  name: 'app-proxy demo',
  demo: 'npx app-proxy demo',
  cli: 'npx app-proxy',
  examples: 'node_modules/app-proxy/examples/',
}

const BINDINGS: Readonly<Record<Binding, string>> = {
  link: 'link: one framed connection',
  plain: 'plain: HTTP calls, without WebSockets',
}

/** User by user. */
const BECOMES = [
  'is assigned, and let in',
  'is not assigned, and refused',
  'is assigned, and kept out of the vault',
]

export function jsonReport({ applications, ...rest }: Ready): string {
  const shown = applications.map(({ id, externalUrl, preAuthentication }) => ({
    id,
    externalUrl,
    preAuthentication,
  }))
  return JSON.stringify({ applications: shown, ...rest })
}

/** No line is longer than a terminal of 80 columns, where addresses and paths are of usual length. */
export function tableReport(ready: Ready, isTemporary: boolean, words = IN_REPOSITORY): string {
  const { applications, users, issuer, connectorUrl, bindings, caFile, stateDir, instances } = ready
  const isHttps = applications[0]!.externalUrl.startsWith('https:')
  const rpc = applications.find(({ id }) => id === 'rpc')
  const browse = applications
    .filter((one) => one !== rpc)
    .map((one) => [one.externalUrl, accessTo(one)])
  const signIn = users.map(({ username, password, pin }, i) => [
    ...[username, password, pin === undefined ? '' : `PIN ${pin}`],
    BECOMES[i]!,
  ])
  const under = [
    ['issuer', issuer],
    ['connectors dial', `${connectorUrl}${instances === undefined ? '' : ', and the others’'}`],
    ...(instances === undefined
      ? []
      : [['instances', `${Object.keys(instances).join(', ')}; nats-server is between them`]]),
    [
      'the demo’s came by',
      [...new Set(Object.values(bindings))].map((one) => BINDINGS[one]).join(),
    ],
    ['state and logs', `${stateDir}${isTemporary ? ' (removed at the end)' : ''}`],
    [
      'users come by',
      isHttps ? 'TLS; trust the file below' : 'plain HTTP; --https for TLS, and gRPC',
    ],
    ...(isHttps ? [['their authority', caFile]] : []),
  ]
  return [
    ...['Browse', table(browse)],
    ...['Sign in as', table(signIn)],
    ...['Try', hints(ready, words)],
    ...['As a program: paste this, at any time', program(ready)],
    ...(rpc === undefined ? [] : ['As a client of gRPC', rpcCall(ready, rpc, words)]),
    ...(ready.instances === undefined ? [] : ['As an operator', operator(ready, words)]),
    ...['Underneath', table(under)],
    'Ctrl-C ends it.',
  ].join('\n\n')
}

const hints = ({ applications }: Ready, { demo }: ProgramWords) =>
  [
    'the vault as alice: it asks for her PIN too, and for nothing else',
    'the intranet as bob: it says who refused him, and lets him be somebody else',
    `${urlOf(applications, 'intranet', 'live')} and sign out in another tab`,
    `${demo} --publish-open broken=http://127.0.0.1:1`,
    '  and open it: nobody listens there, and the page says where it stopped',
  ]
    .map((line) => `  ${line}`)
    .join('\n')

/** One command, over several lines. */
const program = ({ applications, robot, caFile }: Ready) =>
  [
    `  curl -H ${quoted(`@${robot.authorizationFile}`)}`,
    ...(applications[0]!.externalUrl.startsWith('https:') ? [`--cacert ${quoted(caFile)}`] : []),
    urlOf(applications, 'intranet', 'headers'),
  ].join(' \\\n    ')

/** The same. */
const rpcCall = (
  { robot, caFile }: Ready,
  { externalUrl }: DemoApplication,
  { examples }: ProgramWords,
) =>
  [
    `  node --import tsx ${examples}rpc-call.ts ${externalUrl} you`,
    `--ca ${quoted(caFile)}`,
    `--authorization-file ${quoted(robot.rpcAuthorizationFile!)}`,
  ].join(' \\\n    ')

/** What each instance holds; `queue` in its place: what waits, and what others would take. */
const operator = ({ stateDir }: Ready, { cli }: ProgramWords) =>
  [`  ${cli} admin instances list`, `--state-dir ${quoted(join(stateDir, 'cloud'))}`].join(
    ' \\\n    ',
  )

const urlOf = (applications: Ready['applications'], name: string, path: string) =>
  applications.find(({ id }) => id === name)!.externalUrl + path

/** As a shell reads it. */
const quoted = (text: string) =>
  /^[\w@./:+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`

/** What the application learns of who signed in. */
const TOLD: Readonly<Record<string, string>> = {
  headers: 'behind sign-in; told who it is in header fields',
  assertion: 'behind sign-in; told by assertions, which it checks',
  inject: 'behind sign-in; shown a password that only the connector has',
}

function accessTo({ preAuthentication, policies, signOn, translate }: DemoApplication): string {
  if (translate !== undefined) return 'open to everyone; links are translated'
  if (preAuthentication === 'passthrough') return 'open to everyone'
  if (signOn !== undefined) return TOLD[signOn.kind] ?? 'behind sign-in'
  return policies === undefined ? 'behind sign-in' : 'behind sign-in with the PIN as well'
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const line = (row: readonly string[]) => row.map((cell, i) => cell.padEnd(widths[i]!)).join('   ')
  return rows.map((row) => `  ${line(row)}`.trimEnd()).join('\n')
}
