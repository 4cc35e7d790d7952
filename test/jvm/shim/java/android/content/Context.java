package android.content;

/** Android's class of that name, as much as the generated go.Seq needs. */
public class Context {}
