/**
 * A directory whose rows are in a database: LMDB here, and any other likewise. The directory is asked
 * several times for each request, and answers at once, so all that is published is in memory;
 * `refresh` reads it anew, after whatever your database says of changes.
 */
import { createDirectory, readDirectory, type ConfiguredDirectory } from 'app-proxy/cloud'
import { open } from 'lmdb'

export interface DatabaseDirectory {
  readonly directory: ConfiguredDirectory
  /** Writes one row; it counts from the next `refresh`. */
  put(table: Table, row: Row): Promise<unknown>
  /** Throws `ConfigurationInvalid` for rows that make no sense: what was in force stays so. */
  refresh(): void
  close(): Promise<void>
}

export type Table = 'tenants' | 'groups' | 'applications'
export interface Row {
  readonly id: string
}

export function openDatabaseDirectory(
  path: string,
  first: readonly [Table, Row][],
): DatabaseDirectory {
  const rows = open<Row, [Table, string]>({ path })
  const put = (table: Table, row: Row) => rows.put([table, row.id], row)
  const all = (table: Table) =>
    [...rows.getRange({ start: [table, ''], end: [table, '\uffff'] })].map(({ value }) => value)
  // What a database holds has no type: this checks it.
  const read = () =>
    readDirectory({
      tenants: all('tenants'),
      groups: all('groups'),
      applications: all('applications'),
    })
  rows.transactionSync(() =>
    first.forEach(([table, row]) => void rows.putSync([table, row.id], row)),
  )
  const directory = createDirectory(read())
  return {
    ...{ directory, put },
    refresh: () => directory.replace(read()),
    close: () => rows.close(),
  }
}
