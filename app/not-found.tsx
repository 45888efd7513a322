import { NotFound } from '#components/frame/NotFound.tsx';

export default function Page() {
  return <NotFound />;
}
