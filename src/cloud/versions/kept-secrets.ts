/**
 * Secrets of a directory: never shown. What is shown in the place of one is an object, where a
 * secret is text or a key; so it is none in any file, and what comes back with it keeps the secret
 * that is there.
 *
 * @module
 */
import { ConfigurationInvalid, type ConfigurationMistake } from '../../protocol/internal.ts'
import { isWritten, type Written, type WrittenDirectory } from './written-directory.ts'

/** Members of an application's `client` that nobody is shown. A test looks for others. */
const SECRETS: readonly string[] = ['secret', 'key']

/** Stands in the place of a secret, both ways. */
export const KEPT_SECRET = { $secret: 'kept' } as const

const isKept = (value: unknown) =>
  isWritten(value) && value['$secret'] === 'kept' && Object.keys(value).length === 1

/** Whether a place in an application is a secret's: `client.secret`. */
export const isSecretAt = (path: string) => SECRETS.some((name) => path === `client.${name}`)

/** The same, with no secret in it. */
export function withoutSecrets<T extends WrittenDirectory>(directory: T): T {
  return {
    ...directory,
    applications: directory.applications.map((application) =>
      withClient(application, (client) => masked(client)),
    ),
  }
}

function masked(client: Written): Written {
  const hidden = SECRETS.filter((name) => client[name] !== undefined)
  return { ...client, ...Object.fromEntries(hidden.map((name) => [name, KEPT_SECRET])) }
}

/**
 * What was sent, with the secrets of `before` where it says that they are kept, by the ids of
 * applications.
 *
 * @param value anything
 * @returns with what is said to be kept, and is not there
 */
export function withKeptSecrets(value: unknown, before: WrittenDirectory): Completed {
  const mistakes: ConfigurationMistake[] = []
  if (!isWritten(value) || !Array.isArray(value['applications'])) return { value, mistakes }
  const known = new Map(before.applications.map((application) => [application['id'], application]))
  const completed = (application: unknown, i: number): unknown => {
    if (!isWritten(application)) return application
    const { id } = application
    const of = known.get(id)?.['client']
    return withClient(application, (client) =>
      Object.fromEntries(
        Object.entries(client).map(([name, member]) => {
          if (!SECRETS.includes(name) || !isKept(member)) return [name, member]
          const kept = isWritten(of) ? of[name] : undefined
          if (kept !== undefined) return [name, kept]
          mistakes.push({
            path: `applications[${i}].client.${name}`,
            detail: 'is said to be kept, and there is none: write it',
            ...(typeof id === 'string' && { application: id.slice(0, 100) }),
          })
          return [name, member]
        }),
      ),
    )
  }
  return { value: { ...value, applications: value['applications'].map(completed) }, mistakes }
}

export interface Completed {
  readonly value: unknown
  readonly mistakes: readonly ConfigurationMistake[]
}

/**
 * What `check` gives; what it finds wrong in the place of a secret that was to be kept is told as
 * that.
 *
 * @throws ConfigurationInvalid with all mistakes
 */
export function checkedWith<T>(
  mistakes: readonly ConfigurationMistake[],
  check: () => T,
  added: readonly ConfigurationMistake[] = [],
): T {
  const found: ConfigurationMistake[] = [...mistakes, ...added]
  let result: T | undefined
  try {
    result = check()
  } catch (error) {
    if (!(error instanceof ConfigurationInvalid)) throw error
    const isTold = ({ path }: ConfigurationMistake) =>
      mistakes.some((one) => path === one.path || path.startsWith(`${one.path}.`))
    found.push(...error.mistakes.filter((one) => !isTold(one)))
  }
  if (found.length > 0) throw new ConfigurationInvalid(found)
  return result!
}

function withClient(application: Written, change: (client: Written) => Written): Written {
  const { client } = application
  return isWritten(client) ? { ...application, client: change(client) } : application
}
