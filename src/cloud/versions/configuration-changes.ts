/**
 * What differs between two directories: tenants, groups and applications that came, went or are
 * others, and where. A secret is told as another, and no more of it.
 *
 * @module
 */
import { isSecretAt } from './kept-secrets.ts'
import {
  isSame,
  isWritten,
  KINDS,
  type Written,
  type WrittenDirectory,
} from './written-directory.ts'

/** One tenant, group or application that differs. */
export interface ConfigurationChange {
  readonly change: 'added' | 'removed' | 'changed'
  readonly what: 'tenant' | 'group' | 'application'
  readonly id: string
  /** Whose it is. Absent: its group is not known. */
  readonly tenantId?: string
  /** Of one that is changed: where. */
  readonly fields?: readonly FieldChange[]
}

/** A place in it. */
export interface FieldChange {
  /** `client.id`, for example. */
  readonly path: string
  /** As JSON. Absent: there was none, or it is a secret. */
  readonly before?: string
  /** As JSON. Absent: there is none, or it is a secret. */
  readonly after?: string
  /** It is a secret: that it is another is all that is told. */
  readonly isSecret?: true
}

/** What is told of a longer value ends with `…`. Characters. */
const MOST_CHARACTERS = 400

const WORDS = { tenants: 'tenant', groups: 'group', applications: 'application' } as const

export function configurationChanges(
  before: WrittenDirectory,
  after: WrittenDirectory,
): readonly ConfigurationChange[] {
  return KINDS.flatMap((kind) => {
    const [old, now] = [byId(before[kind]), byId(after[kind])]
    return [...new Set([...old.keys(), ...now.keys()])].flatMap((id): ConfigurationChange[] => {
      const [from, to] = [old.get(id), now.get(id)]
      if (isSame(from, to)) return []
      const tenantId = tenantOf(kind, to ?? from!, to === undefined ? before : after)
      const told = { what: WORDS[kind], id, ...(tenantId !== undefined && { tenantId }) }
      if (from === undefined) return [{ change: 'added', ...told }]
      if (to === undefined) return [{ change: 'removed', ...told }]
      return [{ change: 'changed', ...told, fields: fieldChanges(from, to, '') }]
    })
  })
}

/** `added application wiki`. */
export const changeWords = ({ change, what, id }: ConfigurationChange) => `${change} ${what} ${id}`

function byId(list: readonly Written[]): ReadonlyMap<string, Written> {
  return new Map(list.map((one) => [String(one['id']), one]))
}

function tenantOf(
  kind: (typeof KINDS)[number],
  one: Written,
  { groups }: WrittenDirectory,
): string | undefined {
  if (kind === 'tenants') return String(one['id'])
  const group = kind === 'groups' ? one : groups.find(({ id }) => id === one['groupId'])
  const tenantId = group?.['tenantId']
  return typeof tenantId === 'string' ? tenantId : undefined
}

/** Objects are looked into; a list is one value. */
function fieldChanges(from: unknown, to: unknown, path: string): FieldChange[] {
  if (isSame(from, to)) return []
  if (isSecretAt(path)) return [{ path, isSecret: true }]
  const isObject = (value: unknown) => value === undefined || isWritten(value)
  if (!isObject(from) || !isObject(to))
    return [
      {
        path,
        ...(from !== undefined && { before: told(from) }),
        ...(to !== undefined && { after: told(to) }),
      },
    ]
  const [old, now] = [(from ?? {}) as Written, (to ?? {}) as Written]
  return [...new Set([...Object.keys(old), ...Object.keys(now)])].flatMap((name) =>
    fieldChanges(
      Object.hasOwn(old, name) ? old[name] : undefined,
      Object.hasOwn(now, name) ? now[name] : undefined,
      path === '' ? name : `${path}.${name}`,
    ),
  )
}

function told(value: unknown): string {
  const json = JSON.stringify(value)
  return json.length > MOST_CHARACTERS ? `${json.slice(0, MOST_CHARACTERS)}…` : json
}
