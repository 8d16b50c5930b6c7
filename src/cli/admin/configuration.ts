/**
 * The configuration, as an operator sees, checks and changes it.
 */
import type {
  AppliedView,
  ConfigurationChange,
  ConfigurationChangesView,
  ConfigurationMistakesView,
  ConfigurationView,
  VersionView,
} from 'app-proxy/cloud/admin'
import { replacePrivateFile } from 'app-proxy/cloud/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { readSecretJson } from '../program/files.ts'
import { allOf } from '../program/mistakes.ts'
import { printable } from '../program/printable.ts'
import type { Surroundings } from '../program/program.ts'
import { AdminApiCalls } from './api.ts'
import type {
  AdminApplyGiven,
  AdminGiven,
  AdminRollbackGiven,
  AdminShowConfigurationGiven,
} from './flags.ts'
import { table, time } from './table.ts'

const PATH = '/v1/configuration'

/** Resolves with the exit code, as all of these. */
export async function showConfiguration(
  given: AdminShowConfigurationGiven,
  { say, log, ...surroundings }: Surroundings,
) {
  const [api, number] = await allOf(
    () => AdminApiCalls.open(given, surroundings),
    () => numberIn('--number', given.number),
  )
  const path = number === undefined ? PATH : `${PATH}/versions/${number}`
  const view = await api.get<ConfigurationView>(path)
  const text = JSON.stringify(view.configuration, undefined, 2)
  if (given.out !== undefined) await replacePrivateFile(given.out, `${text}\n`)
  if (given.json) say(JSON.stringify(view))
  else if (given.out === undefined) say(text)
  else log(`version ${view.version} is in ${given.out}`)
  return 0
}

export async function listVersions(given: AdminGiven, surroundings: Surroundings) {
  const api = await AdminApiCalls.open(given, surroundings)
  const listed = await api.get<{ readonly items: readonly VersionView[] }>(`${PATH}/versions`)
  const columns = ['VERSION', 'MADE', 'BY', 'WHY']
  const rows = listed.items.map(({ version, at, by, comment, restored }) => [
    ...[version, time(at), by.as === 'file' ? `the file of ${by.name}` : by.name],
    [restored === undefined ? '' : `as version ${restored}`, comment ?? ''].join(' ').trim() || '-',
  ])
  surroundings.say(given.json ? JSON.stringify(listed) : table(columns, rows))
  return 0
}

export async function validateConfiguration(given: AdminGiven, surroundings: Surroundings) {
  const [api, { configuration, at, file }] = await opened(given, surroundings)
  const body = { configuration }
  const checked = (await api.post(`${PATH}/validate`, { body })) as ConfigurationMistakesView
  if (checked.mistakes.length > 0)
    throw new ConfigurationInvalid(
      checked.mistakes.map(({ path, ...mistake }) => ({
        ...mistake,
        file,
        path: `${at}${path}`.replace(/\.$/, ''),
      })),
    )
  surroundings.say(given.json ? JSON.stringify(checked) : printable(`${file} has no mistakes`))
  return 0
}

export async function diffConfiguration(given: AdminGiven, surroundings: Surroundings) {
  const [api, { configuration }] = await opened(given, surroundings)
  const body = { configuration }
  const differs = (await api.post(`${PATH}/diff`, { body })) as ConfigurationChangesView
  surroundings.say(given.json ? JSON.stringify(differs) : changeLines(differs.changes))
  return 0
}

export async function applyConfiguration(given: AdminApplyGiven, surroundings: Surroundings) {
  const [api, { configuration }] = await opened(given, surroundings)
  const { comment, json } = given
  const ifMatch = given['if-match'] ?? (await api.get<ConfigurationView>(PATH)).etag
  const body = { configuration, ...(comment !== undefined && { comment }) }
  const applied = (await api.put(PATH, { body, ifMatch })) as AppliedView
  surroundings.say(json ? JSON.stringify(applied) : appliedLines(applied))
  return 0
}

export async function rollBackConfiguration(given: AdminRollbackGiven, surroundings: Surroundings) {
  const { comment, json } = given
  const [api, version] = await allOf(
    () => AdminApiCalls.open(given, surroundings),
    () => numberIn('--to', given.to),
  )
  const ifMatch = given['if-match'] ?? (await api.get<ConfigurationView>(PATH)).etag
  const body = {
    ...(version !== undefined && { version }),
    ...(comment !== undefined && { comment }),
  }
  const applied = (await api.post(`${PATH}/rollback`, { body, ifMatch })) as AppliedView
  surroundings.say(json ? JSON.stringify(applied) : appliedLines(applied))
  return 0
}

function opened(given: AdminGiven, surroundings: Surroundings) {
  return allOf(
    () => AdminApiCalls.open(given, surroundings),
    () => configurationIn(given.given[0]!),
  )
}

/** As `show` writes it, or the configuration file of a cloud. */
async function configurationIn(file: string) {
  const json = await readSecretJson(file, { path: 'FILE' })
  const { directory } = (json ?? {}) as { readonly directory?: unknown }
  if (directory === undefined) return { configuration: json, at: '', file }
  return { configuration: directory, at: 'directory.', file }
}

function numberIn(path: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new ConfigurationInvalid([
      { path, detail: 'must be the number of a version', value: JSON.stringify(text) },
    ])
  return Number(text)
}

function appliedLines({ version, isMade, changes }: AppliedView): string {
  if (!isMade) return `nothing is other: version ${version} stays`
  return `version ${version} is in force\n${changeLines(changes)}`
}

const SIGNS = { added: '+', removed: '-', changed: '~' } as const

function changeLines(changes: readonly ConfigurationChange[]): string {
  if (changes.length === 0) return 'nothing would be other'
  const lines = changes.flatMap(({ change, what, id, tenantId, fields = [] }) => [
    `${SIGNS[change]} ${what} ${id}${tenantId === undefined || what === 'tenant' ? '' : ` of ${tenantId}`}`,
    ...fields.map(({ path, before = 'nothing', after = 'nothing', isSecret }) =>
      isSecret ? `    ${path}: another secret` : `    ${path}: ${before} → ${after}`,
    ),
  ])
  return lines.map(printable).join('\n')
}
