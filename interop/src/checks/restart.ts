export const checkRestarts = async (_: unknown, __: unknown) => {}
