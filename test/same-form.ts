/**
 * Whether an interface, which an editor shows, and a schema, which files are held against, say the same.
 *
 * @module
 */
/** The same in one form: lists readonly, and `undefined` wherever a member may be left out. */
export type Form<T> = T extends readonly (infer Item)[]
  ? readonly Form<Item>[]
  : T extends object
    ? {
        readonly [K in keyof T]: object extends Pick<T, K>
          ? Form<Exclude<T[K], undefined>> | undefined
          : Form<T[K]>
      }
    : T
/** Whether two types are the same, member for member. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
/** The same of their forms. */
export type SameForm<A, B> = Same<Form<A>, Form<B>>
