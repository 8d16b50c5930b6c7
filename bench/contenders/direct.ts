import { plainTargets, type Contender } from './contender.ts'

/** Nobody in between: what the application and the load generator could do at the most. */
export const direct: Contender = {
  name: 'direct',
  title: 'no proxy',
  start: async ({ pages, uploads }) => ({ ...plainTargets(pages, uploads), processes: [] }),
}
